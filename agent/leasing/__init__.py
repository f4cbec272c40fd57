"""Which devices workers that answer have: chats and predictions are guests, runs come first."""

from .leases import Guest, Lease, Leases
from .room import CPU, DeviceTakenError, Tenant, Wish

__all__ = ["CPU", "DeviceTakenError", "Guest", "Lease", "Leases", "Tenant", "Wish"]
