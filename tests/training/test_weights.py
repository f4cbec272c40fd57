"""A row's weight does to the loss exactly what it says."""

from __future__ import annotations

from typing import Any

import pytest
from safetensors.numpy import load_file

_PLAIN_STEPS = {
    "training.optim": "sgd",
    "training.learning_rate": 0.5,
    "training.max_grad_norm": 0,
    "training.max_steps": 3,
    "training.per_device_train_batch_size": 8,
    "peft.lora_dropout": 0.0,
    "data.validation_fraction": 0,
}


def _rows(*weighted: tuple[str, float]) -> list[dict[str, Any]]:
    # 15 letters and the end token fill a block of llm-generic, so that no row has another's
    # words before it.
    return [{"text": f"{letter} {letter * 13}", "weight": weight} for letter, weight in weighted]


def _train(workshop: Any, task: str, rows: list[dict[str, Any]], **changes: Any) -> Any:
    path = workshop.data(rows, name=f"rows-{len(list(workshop.folder.iterdir()))}")
    done = workshop.go(task, **{**_PLAIN_STEPS, "data.path": str(path), **changes})
    return list(done.losses.values()), load_file(done.run.adapter / "adapter_model.safetensors")


def _same(first: Any, second: Any) -> None:
    assert first[0] == pytest.approx(second[0], rel=1e-5)
    assert len(set(first[0])) == 3
    for name, values in first[1].items():
        assert values == pytest.approx(second[1][name], rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("task", ["llm-sft", "llm-generic"])
class TestWeights:
    """Weighted rows against the same rows written out."""

    def test_two_is_the_row_twice(self, workshop: Any, task: str) -> None:
        weighted = _train(
            workshop, task, _rows(("a", 2), ("b", 1)), **{"data.weight_column": "weight"}
        )
        twice = _train(workshop, task, _rows(("a", 1), ("a", 1), ("b", 1)))
        _same(weighted, twice)

    def test_zero_is_no_row(self, workshop: Any, task: str) -> None:
        weighted = _train(
            workshop, task, _rows(("a", 1), ("b", 0), ("c", 1)), **{"data.weight_column": "weight"}
        )
        _same(weighted, _train(workshop, task, _rows(("a", 1), ("c", 1))))

    def test_only_their_ratio_counts(self, workshop: Any, task: str) -> None:
        small = _rows(("a", 0.02), ("b", 0.01))
        weighted = _train(workshop, task, small, **{"data.weight_column": "weight"})
        _same(weighted, _train(workshop, task, _rows(("a", 1), ("a", 1), ("b", 1))))

    def test_they_reach_over_gathered_batches(self, workshop: Any, task: str) -> None:
        gathered = {
            "data.weight_column": "weight",
            "training.per_device_train_batch_size": 1,
            "training.gradient_accumulation_steps": 2,
        }
        weighted = _train(workshop, task, _rows(("a", 2), ("b", 1)), **gathered)
        _same(weighted, _train(workshop, task, _rows(("a", 1), ("a", 1), ("b", 1))))

    def test_equal_weights_change_nothing(self, workshop: Any, task: str) -> None:
        rows = _rows(("a", 3), ("b", 3))
        weighted = _train(workshop, task, rows, **{"data.weight_column": "weight"})
        _same(weighted, _train(workshop, task, rows))

    def test_the_validation_loss_is_weighted_too(self, workshop: Any, task: str) -> None:
        folder = workshop.folder / "split"
        folder.mkdir()
        for name, rows in (
            ("train", _rows(("a", 1), ("b", 1))),
            ("validation", _rows(("c", 3), ("d", 1))),
        ):
            workshop.data(rows, name=f"split/{name}")
        settings = {
            **_PLAIN_STEPS,
            "data.path": str(folder),
            "data.weight_column": "weight",
            "evaluation.strategy": "steps",
            "evaluation.steps": 3,
            "evaluation.per_device_eval_batch_size": 8,
        }
        weighted = workshop.go(task, **settings)
        workshop.data(_rows(*[("c", 1)] * 3, ("d", 1)), name="split/validation")
        written_out = workshop.go(task, **settings)
        losses = [done.events[-1].metrics["eval_loss"] for done in (weighted, written_out)]
        assert losses[0] == pytest.approx(losses[1], rel=1e-5)
