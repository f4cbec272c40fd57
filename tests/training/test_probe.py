"""The try before step 1: it changes nothing, finds the longest rows, and fails in their place."""

from __future__ import annotations

import itertools
import random
from types import SimpleNamespace
from typing import Any

import datasets
import numpy as np
import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from luthier.trainers.engine import probe
from luthier.trainers.engine.meter import meter_for
from luthier.trainers.engine.untouched import untouched
from luthier.trainers.events import MemoryEvent, MetricsEvent, PhaseEvent, WarningEvent
from luthier.trainers.run_folder import RunFolder

_MIB = 1 << 20
_RESTLESS = {
    "training.neftune_noise_alpha": 5.0,
    "training.gradient_accumulation_steps": 2,
    "training.max_steps": 3,
}


def _weights(run: RunFolder) -> Any:
    folder = run.adapter if run.adapter.exists() else run.model
    return load_file(next(folder.glob("*.safetensors")))


def _metrics(outcome: Any) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in event.values.items() if name != "tokens_per_second"}
        for event in outcome.of(MetricsEvent)
    ]


@pytest.mark.parametrize(
    ("task", "changes"),
    [
        ("llm-sft", {}),
        ("llm-sft", {"peft.method": "none", "training.gradient_checkpointing": True}),
        ("llm-sft", {"training.packing": True, "training.max_length": 64}),
        ("llm-sft", {"launch.precision": "bf16", "training.optim": "adamw_8bit"}),
        ("llm-generic", {}),
        ("llm-generic", {"training.train_sampling_strategy": "group_by_length"}),
    ],
)
def test_a_run_with_it_is_the_run_without(workshop: Any, task: str, changes: Any) -> None:
    with_it = workshop.go(task, **_RESTLESS, **changes)
    without = workshop.go(task, **_RESTLESS, **changes, **{"training.memory_probe": False})
    assert [event.source for event in with_it.of(MemoryEvent)] == ["probe", "run"]
    assert [event.source for event in without.of(MemoryEvent)] == ["run"]
    assert _metrics(with_it) == _metrics(without)
    expected, found = _weights(without.run), _weights(with_it.run)
    assert expected.keys() == found.keys()
    assert all((expected[name] == found[name]).all() for name in expected)


def test_it_tells_what_it_found(workshop: Any) -> None:
    rows = [{"prompt": "count", "completion": "one " * n} for n in (3, 40, 5, 6, 4, 2, 7, 3)]
    workshop.data(rows)
    done = workshop.go(**{"data.validation_fraction": 0})
    tried, ran = done.of(MemoryEvent)
    assert (tried.device, tried.rows, tried.step, ran.step) == ("cpu", 4, 0, 4)
    # The template's three marks, 5 letters of the prompt, 4 for each word, the end.
    assert tried.length == ran.length == 3 + 5 + 40 * 4 + 1
    assert tried.device_name == ran.device_name != ""
    for event in (tried, ran):
        assert event.seconds is not None
        assert event.seconds > 0
        assert event.peak > event.allocated > 0
    order = [event.kind for event in done.events]
    assert order.index("placement") < order.index("memory") < order.index("metrics")


def test_it_is_not_repeated_while_nothing_changes(workshop: Any, monkeypatch: Any) -> None:
    values = workshop.settings(**{"training.save_steps": 2})
    run = workshop.run(values)
    assert workshop.attempt(run, 1).code == 0
    again = workshop.attempt(run, 2)
    assert again.code == 0
    assert "probing" not in [event.name for event in again.of(PhaseEvent)]
    changed = workshop.settings(**{"training.save_steps": 2, "training.max_steps": 6})
    run.spec.write_text(yaml.safe_dump(changed), encoding="utf-8")
    third = workshop.attempt(run, 3)
    assert [event.source for event in third.of(MemoryEvent)] == ["probe", "run"]
    assert third.of(MemoryEvent)[0].step == 4


def test_what_does_not_fit_is_told_before_a_step(workshop: Any, monkeypatch: Any) -> None:
    """Memory that ends in the longest batch, as far as the program can tell."""
    workshop.data([{"prompt": "count", "completion": "one " * n} for n in range(2, 42)])
    from luthier.trainers.language.supervised import SupervisedTrainer

    real = SupervisedTrainer.compute_loss

    def compute(self: Any, model: Any, inputs: Any, *more: Any, **options: Any) -> Any:
        if inputs["input_ids"].numel() > 400:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return real(self, model, inputs, *more, **options)

    monkeypatch.setattr(SupervisedTrainer, "compute_loss", compute)
    outcome = workshop.attempt(workshop.run(workshop.settings(**{"training.max_steps": 1})))
    assert outcome.code == 75
    assert outcome.of(MetricsEvent) == []
    assert "2 rows at a time" in outcome.of(WarningEvent)[-1].message
    smaller = workshop.attempt(outcome.run, 2)
    assert smaller.code == 0
    assert smaller.of(MemoryEvent)[0].rows == 2


class _Restless(torch.nn.Module):
    """A model that remembers what it met."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(4, 4)
        self.norm = torch.nn.BatchNorm1d(4)
        self.longest = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.longest = max(self.longest, len(x))
        return self.norm(torch.nn.functional.dropout(self.linear(x))).sum()


class _Trainer:
    def __init__(self) -> None:
        self.model = _Restless()
        self.count = 0
        self.metrics: dict[str, list[float]] = {"loss": [1.0]}
        self.total = torch.zeros(2)
        self.same = self.metrics


def test_everything_is_put_back() -> None:
    trainer: Any = _Trainer()
    trainer.model.eval()
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    drawn = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state())
    with pytest.raises(ZeroDivisionError), untouched(trainer):  # noqa: PT012 - it is the failing
        trainer.model.train()
        trainer.model(torch.rand(8, 4)).backward()
        assert trainer.model.linear.weight.grad is not None
        trainer.count += 1
        trainer.metrics["loss"].append(random.random() + np.random.rand())
        trainer.metrics["new"] = []
        trainer.total += 1
        raise ZeroDivisionError
    after = trainer.model.state_dict()
    assert all((before[name] == after[name]).all() for name in before)
    assert trainer.model.linear.weight.grad is None
    assert (trainer.model.training, trainer.model.longest, trainer.count) == (False, 0, 0)
    assert trainer.metrics == {"loss": [1.0]}
    assert trainer.same is trainer.metrics
    assert trainer.total.tolist() == [0, 0]
    assert random.getstate() == drawn[0]
    assert np.random.get_state()[1].tolist() == drawn[1]
    assert (torch.get_rng_state() == drawn[2]).all()


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=40), st.integers(1, 8), st.booleans())
def test_the_longest_rows_are_found(lengths: list[int], size: int, shuffled: bool) -> None:
    rows = datasets.Dataset.from_dict(
        {"input_ids": [[1] * n for n in lengths], "name": ["x"] * len(lengths)},
        features=datasets.Features(
            {"input_ids": datasets.List(datasets.Value("int32")), "name": datasets.Value("string")}
        ),
    )
    if shuffled:
        rows = rows.select(list(reversed(range(len(lengths)))))
    chosen = probe.longest_rows(rows, size)
    assert len(chosen) == len(set(chosen)) == min(size, len(lengths))
    found = sorted((len(rows[number]["input_ids"]) for number in chosen), reverse=True)
    assert found == sorted(lengths, reverse=True)[:size]


@given(
    st.lists(st.tuples(st.integers(1, 60), st.integers(1, 60)), min_size=1, max_size=12),
    st.integers(1, 4),
)
def test_no_batch_of_pictures_is_larger(sizes: list[tuple[int, int]], rows: int) -> None:
    def padded(numbers: tuple[int, ...]) -> int:
        return max(sizes[n][0] for n in numbers) * max(sizes[n][1] for n in numbers)

    rows = min(rows, len(sizes))
    chosen = probe.largest_pictures(sizes, rows)
    assert len(set(chosen)) == len(chosen) == rows
    every = itertools.combinations(range(len(sizes)), min(2, rows))
    assert padded(tuple(chosen)) == max(map(padded, every))


@pytest.mark.parametrize(
    ("picture", "seen"),
    [((640, 480), (1066, 800)), ((100, 300), (444, 1333)), ((9, 9), (800, 800))],
)
def test_pictures_are_compared_as_a_detector_sees_them(
    picture: tuple[int, int], seen: tuple[int, int]
) -> None:
    processor = SimpleNamespace(size={"shortest_edge": 800, "longest_edge": 1333})
    found = probe.seen_size(picture, processor)
    assert max(abs(a - b) for a, b in zip(found, seen, strict=True)) <= 1
    assert probe.seen_size(picture, SimpleNamespace(size={"height": 64, "width": 64})) == picture


def test_the_row_with_the_most_pictures_is_in_the_batch() -> None:
    class Talks:
        def prompt_length(self, values: Any) -> int:
            return sum(picture.size[0] for picture in values["pictures"])

    small, large = SimpleNamespace(size=(8, 8)), SimpleNamespace(size=(64, 64))
    rows = [{"pictures": [small]}, {"pictures": [small]}, {"pictures": [large]}]
    task = SimpleNamespace(talks=Talks(), rows={"train": rows})
    trainer: Any = SimpleNamespace(_task=task)
    assert probe._with_most_pictures(trainer, [0, 1]) == [0, 2]
    assert probe._with_most_pictures(trainer, [2, 0]) == [2, 0]


def test_a_process_knows_its_peak() -> None:
    meter = meter_for("cpu")
    assert meter is not None
    assert meter.device == "cpu"
    block = torch.ones(200 * _MIB, dtype=torch.uint8)
    high = meter.peak()
    assert high.allocated > 190 * _MIB
    del block
    meter.restart()
    assert meter.peak().allocated < high.allocated - 150 * _MIB
    assert meter_for("qaic") is None
