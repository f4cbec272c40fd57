"""What finished runs teach, and how long a run takes."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.presets.memory import (
    Correction,
    DeviceFacts,
    Lengths,
    Measurement,
    Price,
    Workload,
    estimate_duration,
    model_shape,
)
from luthier.presets.memory.correction import student_quantile
from luthier.presets.memory.duration import steps_per_epoch
from luthier.presets.memory.speed import speed_of
from luthier.trainers.spec.file import build_spec

A100 = DeviceFacts(kind="cuda", name="NVIDIA A100-SXM4-80GB")


def runs(*ratios: float) -> list[Measurement]:
    return [Measurement(10**9, round(10**9 * ratio)) for ratio in ratios]


def test_nothing_is_learned_from_nothing() -> None:
    assert Correction.learn([]) is None
    assert Correction.learn([Measurement(0, 5), Measurement(5, 0)]) is None


def test_runs_that_agree_shrink_the_interval_around_them() -> None:
    spreads = []
    for count in (1, 3, 7, 30):
        found = Correction.learn(runs(*[1.1] * count), "NVIDIA L4")
        assert found is not None
        spreads.append(found.high - found.low)
    assert spreads == sorted(spreads, reverse=True)
    assert found.factor == pytest.approx(1.1, rel=0.005)
    assert found.basis == "from 30 runs on NVIDIA L4, ±3%"


def test_runs_that_differ_keep_it_wide() -> None:
    steady, scattered = Correction.learn(runs(*[1.0] * 6)), Correction.learn(runs(0.8, 1.25) * 3)
    assert steady is not None
    assert scattered is not None
    assert scattered.high > steady.high


@given(st.lists(st.floats(0.5, 2.0), min_size=1, max_size=50))
def test_the_factor_lies_among_the_runs_and_their_prior(ratios: list[float]) -> None:
    found = Correction.learn(runs(*ratios))
    assert found is not None
    assert min([*ratios, 1.0]) * 0.999 <= found.factor <= max([*ratios, 1.0]) * 1.001
    assert 0 < found.low < 1 < found.high


def test_students_quantiles_are_those_of_the_tables() -> None:
    for degrees, value in ((8, 2.306), (10, 2.228), (15, 2.131), (30, 2.042), (120, 1.980)):
        assert student_quantile(0.975, degrees) == pytest.approx(value, rel=1e-3)


def spec(**training: Any) -> Any:
    return build_spec(
        {
            "task": "llm-sft",
            "model": {"name_or_path": "meta-llama/Llama-3.1-8B"},
            "data": {"path": "rows.jsonl"},
            "training": {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 2,
                         "num_train_epochs": 2, **training},
        },
        source="test",
    )  # fmt: skip


LENGTHS = Lengths.of([100] * 90 + [3000] * 11)


def test_steps_and_tokens_are_counted_as_the_trainer_does() -> None:
    shape = model_shape("meta-llama/Llama-3.1-8B")
    found = estimate_duration(spec(max_length=1000), shape, A100, LENGTHS)
    # 101 rows are 26 batches of 4, 13 steps of two batches; two epochs.
    assert found.steps == 26
    assert found.tokens_per_epoch == pytest.approx(90 * 100 + 11 * 1000, rel=0.1)
    limited = estimate_duration(spec(max_steps=5), shape, A100, LENGTHS)
    assert limited.steps == 5


def test_packing_makes_fewer_and_fuller_rows() -> None:
    packed = Workload(batch=1, accumulation=1, packing="bfd", length=1000)
    assert steps_per_epoch(packed, LENGTHS) == math.ceil(LENGTHS.tokens / 1000)


def test_a_guess_says_so_and_a_measurement_replaces_it() -> None:
    shape = model_shape("meta-llama/Llama-3.1-8B")
    guess = estimate_duration(spec(), shape, A100, LENGTHS)
    assert guess.source == "guess"
    assert "guess" in guess.basis
    real = estimate_duration(
        spec(), shape, A100, LENGTHS, step_seconds=2.0, power=300.0,
        price=Price(1.8, "EUR"),
    )  # fmt: skip
    assert real.source == "probe"
    assert real.seconds == 2.0 * real.steps
    assert real.energy_joules == 300.0 * real.seconds
    assert real.cost == pytest.approx(1.8 * real.seconds / 3600)
    assert real.tokens_per_second == pytest.approx(real.tokens / real.seconds)
    known = estimate_duration(spec(), shape, A100, LENGTHS, pace=5000.0)
    assert (known.source, known.basis) == ("history", "from finished runs")
    assert known.tokens_per_second == pytest.approx(5000.0)


def test_devices_are_known_by_name_and_unknown_ones_said_to_be() -> None:
    assert speed_of(A100).half == 312e12
    assert speed_of(DeviceFacts(name="NVIDIA GeForce RTX 4090")).known
    assert speed_of(DeviceFacts(name="NVIDIA H100 PCIe")).half == 756e12
    assert speed_of(DeviceFacts(name="NVIDIA L40S")).half == 362e12
    assert not speed_of(DeviceFacts(name="Frobnicator 9000")).known
    assert not speed_of(DeviceFacts(kind="cpu", cores=8)).known
