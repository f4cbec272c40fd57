"""What finished runs teach: kept with the run, found again by device, task and method."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from luthier.agent.models import MeasuredRun, Run
from luthier.agent.runs.calibration import correction_for, method_of, pace_of, remember
from luthier.agent.states import RunState
from luthier.agent.store import Store, UnknownRun
from luthier.presets.memory import DeviceFacts, model_shape
from luthier.trainers.events import EventWriter, MemoryEvent, MetricsEvent, PlacementEvent
from luthier.trainers.run_folder import RunFolder
from luthier.trainers.spec import GradientSpec
from luthier.trainers.spec.file import build_spec, dump_spec, load_spec

_GIB = 1 << 30
_CARD = "NVIDIA L4"
_CONFIG = """{"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 512,
 "intermediate_size": 1024, "num_hidden_layers": 4, "num_attention_heads": 8,
 "num_key_value_heads": 8, "vocab_size": 32000, "torch_dtype": "bfloat16"}"""


@pytest.fixture
def store(tmp_path: Path) -> Any:
    found = Store.open(tmp_path / "luthier.db")
    yield found
    found.close()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(_CONFIG, encoding="utf-8")
    return folder


def _run(folder: RunFolder, state: RunState = RunState.SUCCEEDED) -> Run:
    return Run(
        id=folder.run_id,
        name="n",
        task="llm-sft",
        model="m",
        host="local",
        state=state,
        created_at=1.0,
        ended_at=2.0,
        folder=str(folder.path),
    )


def _finished(tmp_path: Path, model: Path, store: Store, name: str, **event: Any) -> RunFolder:
    """A run folder as a worker leaves it, known to the store."""
    folder = RunFolder(tmp_path / name)
    attempt = folder.attempt(1)
    attempt.path.mkdir(parents=True)
    spec = build_spec(
        {
            "task": "llm-sft",
            "model": {"name_or_path": str(model)},
            "data": {"path": "rows.jsonl"},
            "training": {"per_device_train_batch_size": 8},
        }
    )
    folder.spec.write_text(dump_spec(spec), encoding="utf-8")
    writer = EventWriter(attempt.events)
    writer.write(
        PlacementEvent(
            devices=["cuda:0"],
            dtypes={},
            precision="bf16",
            strategy="single",
            world_size=1,
            trainable_parameters=1,
            total_parameters=2,
        )
    )
    values = {"device": "cuda:0", "device_name": _CARD, "rows": 2, "length": 700, "allocated": 1}
    for step, pace in enumerate((None, 200.0, 4000.0, 4100.0, 4200.0), start=1):
        writer.write(MetricsEvent(step=step, epoch=0.1, values={"tokens_per_second": pace}))
    for source, peak in (("probe", _GIB), ("run", 2 * _GIB)):
        writer.write(MemoryEvent(source=source, peak=peak, seconds=0.5, **{**values, **event}))
    writer.close()
    store.save_run(_run(folder), announce=False)
    store.ingest_file(folder.run_id, 1, attempt.events)
    return folder


def test_a_finished_run_is_compared_with_its_estimate(
    tmp_path: Path, model: Path, store: Store
) -> None:
    folder = _finished(tmp_path, model, store, "one")
    remember(store, folder, _run(folder, RunState.RUNNING))
    assert store.measured_runs() == []
    remember(store, folder, _run(folder))
    remember(store, folder, _run(folder))
    (kept,) = store.measured_runs(_CARD)
    assert (kept.measured, kept.device_kind, kept.method) == (2 * _GIB, "cuda", "lora")
    # The batch is the one that ran, not the one of the spec.
    assert (kept.rows, kept.length, kept.seconds) == (2, 700, 0.5)
    assert 0 < kept.estimated < 8 * _GIB
    correction = correction_for(
        store, device_kind="cuda", device_name=_CARD, task="llm-sft", method="lora"
    )
    assert correction is not None
    assert (correction.runs, correction.device) == (1, _CARD)
    same = load_spec(folder.spec)
    assert isinstance(same, GradientSpec)
    shape, facts = model_shape(str(model)), DeviceFacts(kind="cuda", name=_CARD)
    # The ladder had made the batch smaller: with that batch the pace is the measured one.
    other = pace_of(store, same, shape, facts, "local")
    assert other is not None
    assert "by rule of thumb" in other.basis
    same.training.per_device_train_batch_size = 2
    found = pace_of(store, same, shape, facts, "local")
    assert found is not None
    assert (found.tokens, found.basis) == (4050.0, "from 1 finished run with these settings")
    assert other.tokens > found.tokens
    same.training.gradient_checkpointing = True
    slower = pace_of(store, same, shape, facts, "local")
    assert slower is not None
    assert slower.tokens < found.tokens
    assert pace_of(store, same, shape, facts, "box") is None
    same.peft.method = "none"
    assert pace_of(store, same, shape, facts, "local") is None
    # Towards what was measured, the more so the more runs there are.
    assert (correction.factor > 1) == (kept.measured > kept.estimated)
    store.delete_run(folder.run_id)
    assert store.measured_runs() == []


def test_a_run_that_cannot_be_compared_is_passed_over(
    tmp_path: Path, model: Path, store: Store
) -> None:
    folder = _finished(tmp_path, model, store, "two")
    (model / "config.json").unlink()
    remember(store, folder, _run(folder))
    folder.spec.unlink()
    remember(store, folder, _run(folder))
    assert store.measured_runs() == []
    without = RunFolder(tmp_path / "three")
    store.save_run(_run(without), announce=False)
    remember(store, without, _run(without))
    assert store.measured_runs() == []


def _measured(number: int, **changes: Any) -> MeasuredRun:
    values: dict[str, Any] = {
        "run_id": f"run-{number}",
        "host": "local",
        "ended_at": float(number),
        "device_kind": "cuda",
        "device_name": _CARD,
        "task": "llm-sft",
        "method": "lora",
        "model": "m",
        "estimated": 10 * _GIB,
        "measured": 10 * _GIB,
        "rows": 1,
        "length": 1,
    }
    return MeasuredRun(**(values | changes))


def _keep(store: Store, *measured: MeasuredRun) -> None:
    for one in measured:
        store.save_run(_run(RunFolder(Path(one.run_id))), announce=False)
        store.save_measured(one)


def test_the_runs_most_like_it_teach(store: Store) -> None:
    asked = {"device_kind": "cuda", "device_name": _CARD, "task": "llm-sft", "method": "lora"}
    assert correction_for(store, **asked) is None
    alike = [_measured(n, measured=11 * _GIB) for n in range(3)]
    others = [_measured(n + 10, method="none", measured=20 * _GIB) for n in range(3)]
    elsewhere = [_measured(n + 20, device_name="NVIDIA A10") for n in range(3)]
    _keep(store, *others, *elsewhere)
    only_others = correction_for(store, **asked)
    assert only_others is not None
    assert only_others.factor > 1.5
    _keep(store, *alike)
    found = correction_for(store, **asked)
    assert found is not None
    assert found.runs == 3
    assert found.factor == pytest.approx(1.1, abs=0.02)
    full = correction_for(store, **{**asked, "method": "none"})
    assert full is not None
    assert full.factor > 1.5
    on_task = correction_for(store, **{**asked, "task": "llm-dpo"})
    assert on_task is not None
    assert on_task.runs == 3
    assert correction_for(store, **{**asked, "device_name": "NVIDIA H100"}) is None
    assert correction_for(store, **{**asked, "device_kind": "cpu"}) is None
    # Another host has none of its own, and learns from these.
    borrowed = correction_for(store, **asked, host="far")
    assert borrowed == found
    _keep(store, *(_measured(n + 30, host="far", measured=9 * _GIB) for n in range(3)))
    own = correction_for(store, **asked, host="far")
    assert own is not None
    assert own.factor < 1


def test_more_equal_runs_make_it_surer(store: Store) -> None:
    widths = []
    for count in range(1, 9):
        _keep(store, _measured(count, measured=11 * _GIB))
        found = correction_for(
            store, device_kind="cuda", device_name=_CARD, task="llm-sft", method="lora"
        )
        assert found is not None
        widths.append(found.high - found.low)
    assert widths == sorted(widths, reverse=True)


def test_methods_differ_by_quantisation() -> None:
    base = {"task": "llm-sft", "model": {"name_or_path": "m"}, "data": {"path": "d"}}
    assert method_of(build_spec(base)) == "lora"  # type: ignore[arg-type]
    four = {**base, "model": {"name_or_path": "m", "load_in_4bit": True}}
    assert method_of(build_spec(four)) == "lora-4bit"  # type: ignore[arg-type]


def test_an_unknown_run_is_not_kept(store: Store) -> None:
    with pytest.raises(UnknownRun):
        store.save_measured(_measured(1))


def test_the_agent_keeps_what_its_worker_measured(
    real_agent: Any, workshop: Any, model: Path, wait: Any
) -> None:
    """A real agent, also when it starts anew with an empty index."""
    client = real_agent.start()
    spec = workshop.spec({"steps": 3, "memory": 3 * _GIB}, model={"name_or_path": str(model)})
    run = client.submit(spec)
    real_agent.ended(run.id)
    database = real_agent.home.database
    kept = wait(lambda: _stored(database))
    assert [(one.run_id, one.measured) for one in kept] == [(run.id, 3 * _GIB)]
    assert real_agent.terminate() == 0
    for path in database.parent.glob("luthier.db*"):
        path.unlink()
    real_agent.start()
    again = wait(lambda: _stored(database))
    assert [one.estimated for one in again] == [one.estimated for one in kept]


def _stored(path: Path) -> list[MeasuredRun]:
    """What an agent's database holds, read beside the agent."""
    if not path.exists():
        return []
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT body FROM memory").fetchall()
    return [MeasuredRun.model_validate_json(body) for (body,) in rows]
