"""What every gradient-trained task shares: placing, running, watching, saving and resuming.

Modules load torch and the training libraries when they are imported, except those that say
"Torch-free" in their first line: a worker needs them before those libraries are there.
"""
