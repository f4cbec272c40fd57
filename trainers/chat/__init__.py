"""Chats with a base model and adapters: a worker process and the protocol it speaks.

Light, for whoever starts a worker: ``protocol`` (the messages) and ``sampling`` (how tokens are
chosen). Everything else loads torch when it works and belongs in the worker process, which is
started as ``python -m luthier.trainers.chat.worker``.
"""
