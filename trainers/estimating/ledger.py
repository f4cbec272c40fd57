"""Every tensor storage that comes and goes while something is rehearsed."""

from __future__ import annotations

import weakref
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal

import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

Phase = Literal["setup", "forward", "backward", "optimizer"]
Workspace = Callable[..., torch.Tensor]

_FOREVER = 1 << 62
_SCALAR = torch.ops.aten._local_scalar_dense.default
_NONZERO = torch.ops.aten.nonzero.default
_CHOICES = (torch.ops.aten.index.Tensor, torch.ops.aten.index_put_.default)


@dataclass
class Storage:
    """One storage: its size in bytes, where it was made, and between which events it lived."""

    size: int
    operation: str
    module: str
    phase: Phase
    born: int
    died: int = _FOREVER
    kind: str = ""


class Ledger(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Writes down storages as operations make them and as they die.

    Works with fake tensors, which have storages of the right size and no memory behind them. Where
    a program asks what is in a fake tensor it gets 1, or True; where it chooses by a fake mask it
    gets everything.

    Args:
        block: sizes are rounded up to a multiple of this, as the device's allocator does.
        workspaces: by operation, what makes the memory that it needs on the device while it
            works; called with its arguments.

    Attributes:
        phase: what is going on; set by whoever rehearses.
        module: the module at work, ``""`` when none is; set by whoever rehearses.
        spans: first and last event of each forward pass, the recomputed ones too, in order.
    """

    def __init__(self, block: int, workspaces: Mapping[Any, Workspace] | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.phase: Phase = "setup"
        self.module = ""
        self.spans: list[tuple[int, int]] = []
        self.storages: list[Storage] = []
        self._events: list[int] = []
        self._live: dict[int, tuple[int, weakref.ref[Any]]] = {}
        self._block = block
        self._workspaces = dict(workspaces or {})

    @property
    def now(self) -> int:
        """The number of storages made and freed so far."""
        return len(self._events)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is _SCALAR:
            return True if args[0].dtype is torch.bool else 1
        if func in _CHOICES:
            args = (args[0], _all_places(args[1]), *args[2:])
        if func is _NONZERO and isinstance(args[0], FakeTensor):
            out = _everywhere(args[0])
        else:
            out = func(*args, **(kwargs or {}))
        for value in tree_iter(out):
            if isinstance(value, torch.Tensor):
                self._add(value, str(func))
        if func in self._workspaces:
            # Made and freed while the result and the arguments are there.
            self._add(self._workspaces[func](*args, **(kwargs or {})), f"{func} (workspace)")
        return out

    def name(self, tensor: torch.Tensor | None, kind: str) -> None:
        """Say what a tensor is, whether it is known already or not."""
        number = None if tensor is None else self._add(tensor, "")
        if number is not None:
            self.storages[number].kind = kind

    def _add(self, tensor: torch.Tensor, operation: str) -> int | None:
        if tensor.device.type == "meta":
            return None
        storage = tensor.untyped_storage()
        key = storage._cdata
        known = self._live.get(key)
        if known is not None:
            return known[0]
        number = len(self.storages)
        size = -(-storage.nbytes() // self._block) * self._block
        self.storages.append(Storage(size, operation, self.module, self.phase, self.now))
        self._events.append(number)
        self._live[key] = number, weakref.ref(storage, lambda _: self._drop(key))
        return number

    def _drop(self, key: int) -> None:
        number, _ = self._live.pop(key)
        self.storages[number].died = self.now
        self._events.append(~number)

    def peak(self, since: int = 0) -> tuple[int, int]:
        """The most bytes alive at once from that event on, and the event that made it so."""
        changes = [
            self.storages[number].size if number >= 0 else -self.storages[~number].size
            for number in self._events
        ]
        totals = list(accumulate(changes))[since:]
        most = max(totals)
        return most, since + totals.index(most)

    def alive(self, event: int) -> list[Storage]:
        """The storages that live right after that event."""
        return [storage for storage in self.storages if storage.born <= event < storage.died]

    def is_kept(self, storage: Storage) -> bool:
        """Whether a storage was made in a forward pass and is kept for the backward pass."""
        place = bisect_right(self.spans, (storage.born, _FOREVER)) - 1
        if place < 0:
            return False
        start, end = self.spans[place]
        return start <= storage.born < end < storage.died


def _everywhere(values: torch.Tensor) -> torch.Tensor:
    """The places of all numbers of a tensor, as ``nonzero`` tells those of some."""
    return values.new_empty((values.numel(), values.dim()), dtype=torch.long)


def _all_places(indices: Any) -> list[Any]:
    """The indices with every mask replaced by the places of all that it covers."""
    found: list[Any] = []
    for index in indices:
        if isinstance(index, FakeTensor) and index.dtype in (torch.bool, torch.uint8):
            found += list(_everywhere(index).unbind(1))
        else:
            found.append(index)
    return found
