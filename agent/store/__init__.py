"""The agent's index of its run folders: runs, events, metrics and the message stream.

Everything about a run can be rebuilt from its run folder; only the numbering of messages
belongs to the store alone.
"""

from .errors import DamagedDatabase, NewerDatabase, StoreUnavailable, UnknownRun
from .ingestion import Ingested
from .store import Store

__all__ = [
    "DamagedDatabase",
    "Ingested",
    "NewerDatabase",
    "Store",
    "StoreUnavailable",
    "UnknownRun",
]
