"""What every gradient-trained task shares: placing, running, watching, saving and resuming.

Modules here load torch and the training libraries when they are imported, except ``job``,
``outcome``, ``stopping`` and ``memory``, which a worker needs before those are there.
"""
