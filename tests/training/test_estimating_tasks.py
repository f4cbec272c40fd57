"""The exact estimate of every task that is trained by steps, by its own training function."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from safetensors import safe_open
from tests.loading import load_module

from luthier.presets.memory import DeviceFacts, quick_estimate, read_shape
from luthier.trainers.estimating.estimate import exact_estimate
from luthier.trainers.estimating.report import ExactEstimate
from luthier.trainers.registry import find_task, tasks
from luthier.trainers.spec import GradientSpec
from luthier.trainers.spec.file import build_spec

_BY_HAND = ("llm-sft", "llm-generic")
_QUICK = (
    "text-classification",
    "extractive-question-answering",
    "seq2seq",
    "st-triplet",
    "image-classification",
    "vlm-vqa",
    "llm-dpo",
)
_ALL = [
    pytest.param(task.id, marks=() if task.id in _QUICK else pytest.mark.slow)
    for task in tasks().values()
    if issubclass(task.spec, GradientSpec) and task.id not in _BY_HAND
]


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the worker does before it loads anything."""
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    monkeypatch.setenv("LUTHIER_DEVICE", "cpu")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The tiny model of a task, built once."""
    place, built = tmp_path_factory.mktemp("models"), {}

    def model(task_id: str) -> Path:
        if task_id not in built:
            built[task_id] = place / task_id
            built[task_id].mkdir()
            task = find_task(task_id)
            task.imported("tiny")(built[task_id], task.sample)
        return built[task_id]

    return model


def _estimate(task: str, model: Path, rows: int = 2, **changes: Any) -> ExactEstimate:
    values: dict[str, Any] = {
        "task": task,
        "model": {"name_or_path": str(model)},
        "data": {"path": "nothing"},
        "peft": {"method": "none"},
    }
    if task == "llm-distill":
        changes["training__teacher_model_name_or_path"] = str(model / "teacher")
    for key, value in changes.items():
        section, _, name = key.partition("__")
        values.setdefault(section, {})[name] = value
    length = None if find_task(task).family == "image" else 96
    return exact_estimate(build_spec(values), device="cuda", rows=rows, length=length)  # type: ignore[arg-type]


def _stored(model: Path) -> int:
    """Numbers in a model's file."""
    total = 0
    for path in sorted(model.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            total += sum(file.get_tensor(name).numel() for name in file.keys())  # noqa: SIM118
    return total


@pytest.mark.parametrize("task", _ALL)
def test_a_step_of_the_tasks_own_trainer_is_counted(models: Any, task: str) -> None:
    model = models(task)
    two, four = _estimate(task, model, 2), _estimate(task, model, 4)
    assert sum(two.parts.values()) == two.peak
    assert two.parts["activations"] > 0
    # A new head may replace the one that is stored.
    assert 0.7 * _stored(model) < two.parameters < 1.5 * _stored(model)
    assert two.parts["optimizer"] == pytest.approx(8 * two.trainable, rel=0.1)
    assert "." in two.at.operation
    seen = find_task(task).family in ("image", "vision-language")
    assert (two.pixels is not None) == seen
    assert ("pixels" in two.batch) == seen
    # A batch twice as large takes what it takes, and what does not depend on it stays.
    assert four.peak > two.peak
    assert four.resident == pytest.approx(two.resident, rel=0.01)


def test_what_tasks_hold_beside_their_model_is_counted(models: Any) -> None:
    whole = _estimate("llm-dpo", models("llm-dpo"))
    adapter = _estimate("llm-dpo", models("llm-dpo"), peft__method="lora")
    # The model as it was is kept to compare with; an adapter's is the model without it.
    assert whole.parts["weights"] == pytest.approx(2 * adapter.parts["weights"], rel=0.05)


def test_the_cached_loss_takes_less_than_the_plain_one(models: Any) -> None:
    model = models("st-triplet")
    plain = _estimate("st-triplet", model, 32)
    cached = _estimate(
        "st-triplet",
        model,
        32,
        training__loss="cached-multiple-negatives-ranking",
        training__mini_batch_size=4,
    )
    assert cached.parts["activations"] < 0.5 * plain.parts["activations"]


@pytest.fixture(scope="module")
def runs() -> ModuleType:
    """The benchmark's means of making and measuring runs."""
    path = Path(__file__).parents[1] / "benchmarks" / "task_runs.py"
    return load_module(path)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("number", range(11))
def test_a_workers_tensors_take_what_was_counted(runs: Any, tmp_path: Path, number: int) -> None:
    """At least one run of each family, in a worker that gives back what it frees."""
    case: Any = runs.CASES[number]
    outcome = runs.run(case, tmp_path)
    # Libraries that are loaded on the way are in the measured figure and in no estimate.
    assert -0.2 < outcome.error < 0.1, f"{case}: {100 * outcome.error:+.1f}%"


@pytest.mark.slow
@pytest.mark.parametrize("number", range(11))
def test_the_quick_estimate_is_near_the_exact_one(runs: Any, tmp_path: Path, number: int) -> None:
    case: Any = runs.CASES[number]
    case.build(tmp_path / "model")
    for method in ("none", "lora"):
        values: dict[str, Any] = {
            "task": case.task,
            "model": {"name_or_path": str(tmp_path / "model"), "dtype": "float32"},
            "data": {"path": "nothing"},
            "training": {
                "per_device_train_batch_size": case.rows,
                "gradient_accumulation_steps": 1,
                **({"max_length": case.length} if case.length else {}),
            },
            "launch": {"precision": "no"},
        }
        for key, value in {**case.settings, "peft.method": method}.items():
            section, _, name = key.partition(".")
            values.setdefault(section, {})[name] = value
        spec: Any = build_spec(values)
        exact = exact_estimate(spec, device="cuda")
        quick = quick_estimate(spec, read_shape(tmp_path / "model"), DeviceFacts(kind="cuda"))
        error = quick.tensors / exact.peak - 1
        assert -0.1 < error < 0.25, f"{case}, {method}: {100 * error:+.1f}%"
