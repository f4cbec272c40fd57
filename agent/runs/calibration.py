"""What finished runs teach about the memory of the next ones on the same kind of device."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from luthier.presets.memory import (
    Correction,
    DeviceFacts,
    Lengths,
    Measurement,
    ModelShape,
    Workload,
    guess_step_seconds,
    model_shape,
    quick_estimate,
)
from luthier.trainers.errors import LuthierError
from luthier.trainers.events import MemoryEvent
from luthier.trainers.run_folder import RunFolder
from luthier.trainers.spec import GradientSpec
from luthier.trainers.spec.file import load_spec

from ..models import MeasuredRun, Run
from ..store import Store

_log = logging.getLogger(__name__)
# The newest runs say most about the versions that are installed now.
_RUNS = 100
# As many runs of one kind say more about such a run than all runs of the device together.
_ENOUGH = 3
_PACE = "tokens_per_second"


def correction_for(
    store: Store,
    *,
    device_kind: str,
    device_name: str,
    task: str,
    method: str,
    host: str = "local",
) -> Correction | None:
    """What the host's finished runs on devices of that name say about the quick estimate.

    Learnt from the runs most like the asked one of which there are three: of the same task and
    method, of the same method, of the same device. A host without runs learns from those of other
    hosts on such devices; None when there are none at all. Blocks for a short while.

    Args:
        store: the agent's.
        device_kind: cuda, cpu or qaic.
        device_name: what its maker calls it, as in the hardware report.
        task: the task's id.
        method: as ``method_of`` tells it.
        host: the host's name.
    """
    everywhere = [
        run for run in store.measured_runs(device_name, _RUNS) if run.device_kind == device_kind
    ]
    known = [run for run in everywhere if run.host == host] or everywhere
    likeness: tuple[Callable[[MeasuredRun], bool], ...] = (
        lambda run: (run.task, run.method) == (task, method),
        lambda run: run.method == method,
    )
    chosen = known
    for alike in likeness:
        kin = [run for run in known if alike(run)]
        if len(kin) >= _ENOUGH:
            chosen = kin
            break
    pairs = [Measurement(estimated=run.estimated, measured=run.measured) for run in chosen]
    return Correction.learn(pairs, device=device_name)


@dataclass(frozen=True)
class Pace:
    """Tokens a second that a run will have, and the finished runs that say so in words."""

    tokens: float
    basis: str


def pace_of(
    store: Store, spec: GradientSpec, shape: ModelShape, device: DeviceFacts, host: str
) -> Pace | None:
    """The pace of the host's finished runs with that model, task and method on such devices.

    The middle one of those with the same micro-batch, checkpointing and processes. Without any,
    the middle one of the others, each changed in the proportion in which the rule of thumb
    (``guess_step_seconds``) takes both paces to differ. None when there are none at all. Blocks for
    a short while.
    """
    alike = (spec.model.name_or_path, spec.task, method_of(spec), device.kind, host)
    known = [
        run
        for run in store.measured_runs(device.name, _RUNS)
        if run.pace and (run.model, run.task, run.method, run.device_kind, run.host) == alike
    ]
    work = Workload.of(spec, shape, device)
    same = [run.pace for run in known if _settings(run) == _asked(work) and run.pace]
    if same:
        return Pace(median(same), f"from {_runs(len(same))} with these settings")
    scaled = []
    for run in known:
        other = replace(
            work,
            batch=max(1, run.rows),
            checkpointing=work.checkpointing if run.checkpointing is None else run.checkpointing,
            processes=run.processes or work.processes,
        )
        ratio = _guessed_pace(work, shape, device) / _guessed_pace(other, shape, device)
        scaled.append((run.pace or 0.0) * ratio)
    if not scaled:
        return None
    words = "with another batch, checkpointing or processes, changed by rule of thumb"
    return Pace(median(scaled), f"from {_runs(len(scaled))} {words}")


def _settings(run: MeasuredRun) -> tuple[int, bool | None, int | None]:
    return run.rows, run.checkpointing, run.processes


def _asked(work: Workload) -> tuple[int, bool, int]:
    return work.batch, work.checkpointing, work.processes


def _runs(count: int) -> str:
    return "1 finished run" if count == 1 else f"{count} finished runs"


def _guessed_pace(work: Workload, shape: ModelShape, device: DeviceFacts) -> float:
    tokens = work.batch * work.accumulation * work.processes * work.length
    return tokens / guess_step_seconds(work, shape, device)


def method_of(spec: GradientSpec) -> str:
    """The method of a run as far as memory differs: lora, lora-4bit, lora-8bit, none, ..."""
    for bits, quantised in ((4, spec.model.load_in_4bit), (8, spec.model.load_in_8bit)):
        if quantised:
            return f"{spec.peft.method}-{bits}bit"
    return spec.peft.method


def remember(store: Store, folder: RunFolder, run: Run) -> None:
    """Keep what a finished run took, if it measured that and is not kept yet.

    A run whose model or spec is not there any more is passed over: without an estimate its figure
    says nothing.

    Raises:
        StoreUnavailable, DamagedDatabase, UnknownRun: the store cannot be written.
    """
    if not run.state.finished or store.is_measured(run.id):
        return
    found = _last_peak(store, run.id)
    if found is None:
        return
    try:
        spec = load_spec(folder.spec)
        if isinstance(spec, GradientSpec):
            precision, pace = _precision(store, run.id), _pace(store, run.id)
            store.save_measured(_measured(run, spec, found, precision, pace))
    except (LuthierError, OSError, ValueError) as error:
        _log.info("%s: its memory is not compared: %s", run.id, error)


def _last_peak(store: Store, run_id: str) -> MemoryEvent | None:
    """What the steps of the last attempt took that came to its end."""
    told = [
        MemoryEvent.model_validate(stored.event)
        for stored in store.events(run_id, kinds=["memory"])
    ]
    return next((event for event in reversed(told) if event.source == "run"), None)


def _precision(store: Store, run_id: str) -> Any:
    """What the run really computed in: ``auto`` depends on the device."""
    placement = store.last_event(run_id, "placement")
    return placement.event.get("precision", "auto") if placement else "auto"


def _pace(store: Store, run_id: str) -> float | None:
    """Tokens a second in the middle of the run: its first figures have the start in them."""
    values = [value for value in store.points(run_id, _PACE).values if value]
    return median(values) if values else None


def _measured(
    run: Run, spec: GradientSpec, found: MemoryEvent, precision: Any, pace: float | None
) -> MeasuredRun:
    kind: Any = found.device.partition(":")[0]
    # The ladder may have made the batch smaller than the spec's.
    spec.training.per_device_train_batch_size = max(1, found.rows)
    lengths = None
    if found.length:
        lengths = Lengths(rows=found.rows, tokens=found.rows * found.length, longest=found.length)
    spec.launch.precision = precision
    facts = DeviceFacts(kind=kind, name=found.device_name)
    shape = model_shape(spec.model.name_or_path, spec.model.revision)
    estimate = quick_estimate(spec, shape, facts, lengths)
    return MeasuredRun(
        run_id=run.id,
        host=run.host,
        ended_at=run.ended_at or found.t,
        device_kind=kind,
        device_name=found.device_name,
        task=spec.task,
        method=method_of(spec),
        model=spec.model.name_or_path,
        estimated=estimate.uncorrected,
        measured=found.peak,
        rows=found.rows,
        length=found.length,
        seconds=found.seconds,
        pace=pace,
        checkpointing=spec.training.gradient_checkpointing,
        processes=spec.launch.processes,
    )
