"""What Auto may choose among: the space of settings around a spec on a device."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

from luthier.trainers.registry import find_task
from luthier.trainers.spec import GradientSpec

from ..memory import Correction, DeviceFacts, Estimate, Lengths, ModelShape, Workload, estimate
from ..memory.workload import Quantisation
from .pace import step_seconds

LENGTH_KEYS = ("max_length", "block_size")
_CUTS = (0.75, 0.5, 0.375, 0.25, 0.1875, 0.125)
_SHORTEST = 256
_SMALLEST_RANK = 4
_EIGHT_BIT = ("adamw_8bit", "paged_adamw_8bit")


@dataclass(frozen=True)
class Tools:
    """Packages that are installed where the run will be."""

    bitsandbytes: bool = True
    deepspeed: bool = False


NO_TOOLS_MISSING = Tools()


@dataclass(frozen=True, slots=True)
class Sharing:
    """How several devices share the work.

    Attributes:
        stage: what is split among them: 0 nothing, 2 gradients and optimizer, 3 weights too.
    """

    processes: int = 1
    strategy: str = "single"
    stage: int = 0


@dataclass(frozen=True, slots=True)
class Level:
    """Concessions: settings that change what is learnt, which only a lack of memory forces."""

    rank: int
    length: int
    optimizer: str
    quantisation: Quantisation


@dataclass(frozen=True, slots=True)
class Choice:
    """One point of the space; ``seconds`` are those of an optimizer step, by rule of thumb."""

    level: Level
    sharing: Sharing
    checkpointing: bool
    batch: int
    estimate: Estimate
    seconds: float


class Problem:
    """A spec, the model and data that it names, and the devices for it.

    Args:
        spec: its settings are the start; effective batch, epochs and learning rate hold.
        shape: of the model.
        device: the device with the least free memory; ``count`` of them may be used.
        lengths: of the rows, when they are known.
        correction: what finished runs on the device taught.
        tools: what is installed there.
        keep: keys such as ``model.load_in_4bit`` that are not to be changed.
    """

    def __init__(
        self,
        spec: GradientSpec,
        shape: ModelShape,
        device: DeviceFacts,
        lengths: Lengths | None = None,
        correction: Correction | None = None,
        tools: Tools = NO_TOOLS_MISSING,
        keep: frozenset[str] = frozenset(),
    ) -> None:
        self.spec, self.shape, self.device = spec, shape, device
        self.lengths, self.correction, self.tools, self.keep = lengths, correction, tools, keep
        self.work = Workload.of(spec, shape, device, lengths)
        self.effective = self.work.batch * self.work.accumulation * self.work.processes

    # -- what there is to choose from ------------------------------------------------------------

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """Every combination of concessions, the least first: rank counts most, then length."""
        found = product(self.ranks, self.limits, self.optimizers, self.quantisations)
        return tuple(Level(*each) for each in found)

    @property
    def ranks(self) -> tuple[int, ...]:
        """The rank, then its halves."""
        rank, found = self.work.rank, [self.work.rank]
        if self.work.method in ("lora", "dora") and "peft.r" not in self.keep:
            while rank // 2 >= _SMALLEST_RANK:
                rank //= 2
                found.append(rank)
        return tuple(found)

    @property
    def limits(self) -> tuple[int, ...]:
        """The longest row, then shorter ones."""
        own, key = self.work.length, self.length_key
        if key is None or f"training.{key}" in self.keep:
            return (own,)
        cuts = [max(_SHORTEST, int(own * share) // 64 * 64) for share in _CUTS]
        return (own, *dict.fromkeys(cut for cut in cuts if cut < own))

    @property
    def length_key(self) -> str | None:
        """The training setting that limits the length of rows; None: there is none."""
        return next((key for key in LENGTH_KEYS if hasattr(self.spec.training, key)), None)

    @property
    def optimizers(self) -> tuple[str, ...]:
        """The optimizer, then the same with smaller states."""
        own = self.work.optimizer
        plain = own.startswith(("adamw_torch", "paged_adamw_32bit"))
        if not plain or "training.optim" in self.keep or not self._bitsandbytes:
            return (own,)
        return (own, *_EIGHT_BIT)

    @property
    def quantisations(self) -> tuple[Quantisation, ...]:
        """That of the base model, then 4 bits where that can be."""
        own = self.work.quantisation
        can = self.work.method in ("lora", "dora") and self._bitsandbytes
        # The heads of models of pictures begin at random, and bitsandbytes would quantise them.
        can = can and find_task(self.spec.task).family != "image"
        if own != "none" or not can or self.shape.quantised or self.work.spread:
            return (own,)
        return (own,) if "model.load_in_4bit" in self.keep else (own, "nf4")

    @property
    def _bitsandbytes(self) -> bool:
        return self.tools.bitsandbytes and self.device.kind == "cuda"

    @cached_property
    def sharings(self) -> tuple[Sharing, ...]:
        """One device, or as many as divide the effective batch, by each strategy."""
        launch = self.spec.launch
        if self.device.kind == "cpu" or self.work.spread or "launch.processes" in self.keep:
            most, least = launch.processes, launch.processes
        else:
            named = len(launch.devices) if isinstance(launch.devices, list) else self.device.count
            most, least = max(1, named, launch.processes), 1
        counts = [n for n in range(least, most + 1) if self.effective % n == 0]
        return tuple(sharing for count in counts for sharing in self._ways(count))

    def _ways(self, count: int) -> Iterator[Sharing]:
        wish = self.spec.launch.strategy
        if wish in ("fsdp", "deepspeed"):
            yield Sharing(count, wish, self.work.zero_stage)
            return
        if count == 1:
            yield Sharing()
            return
        yield Sharing(count, "ddp")
        if wish == "auto" and self.device.kind == "cuda":
            yield Sharing(count, "fsdp", 3)
            if self.tools.deepspeed:
                yield Sharing(count, "deepspeed", 2)

    @property
    def checkpointings(self) -> tuple[bool, ...]:
        """Whether activations may be kept, or recomputed."""
        own = self.work.checkpointing
        return (own,) if "training.gradient_checkpointing" in self.keep else (False, True)

    def batches(self, sharing: Sharing) -> tuple[int, ...]:
        """Micro-batches that make the effective batch up, the smallest first."""
        share = self.effective // sharing.processes
        if "training.per_device_train_batch_size" in self.keep:
            return (self.work.batch,) if share % self.work.batch == 0 else ()
        return tuple(number for number in range(1, share + 1) if share % number == 0)

    # -- what a choice costs ---------------------------------------------------------------------

    def workload(self, level: Level, sharing: Sharing, checkpointing: bool, batch: int) -> Workload:
        """The step of a choice."""
        return replace(
            self.work,
            rank=level.rank,
            length=level.length,
            optimizer=level.optimizer,
            quantisation=level.quantisation,
            checkpointing=checkpointing,
            batch=batch,
            accumulation=max(1, self.effective // (batch * sharing.processes)),
            processes=sharing.processes,
            strategy=sharing.strategy,
            zero_stage=sharing.stage,
        )

    def choice(self, level: Level, sharing: Sharing, checkpointing: bool, batch: int) -> Choice:
        """The choice with its estimate and its pace."""
        work = self.workload(level, sharing, checkpointing, batch)
        found = estimate(work, self.shape, self.device, self.correction)
        seconds = step_seconds(work, self.shape, self.device, self.lengths)
        return Choice(level, sharing, checkpointing, batch, found, seconds)

    def possible(self, level: Level, sharing: Sharing) -> bool:
        """Whether the parts of a choice go together: bitsandbytes' weights are not sharded."""
        return level.quantisation == "none" or sharing.stage < 3
