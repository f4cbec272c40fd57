"""The preset library: every file loads and makes a spec that can work."""

from __future__ import annotations

import pytest

from luthier.presets import Preset, find_preset, presets
from luthier.trainers.errors import LuthierError, SpecError
from luthier.trainers.registry import tasks

VALUES = {"model": {"name_or_path": "some/model"}, "data": {"path": "rows.jsonl"}}


@pytest.mark.parametrize("preset", presets(), ids=lambda preset: preset.name)
def test_every_preset_makes_a_valid_spec(preset: Preset) -> None:
    spec = preset.apply(VALUES).model_dump()
    assert spec["task"] == preset.task
    for section, settings in preset.settings.items():
        for key, value in settings.items():
            assert spec[section][key] == value


def test_every_task_has_a_quick_test_and_a_balanced_preset() -> None:
    names = {preset.name for preset in presets()}
    assert {f"{task}/{kind}" for task in tasks() for kind in ("quick-test", "balanced")} <= names


def test_what_a_person_sets_wins_over_the_preset() -> None:
    preset = find_preset("llm-sft/balanced")
    spec = preset.apply({**VALUES, "name": "mine", "peft": {"r": 4}}).model_dump()
    assert spec["peft"]["r"] == 4
    assert spec["peft"]["lora_alpha"] == 32
    assert spec["name"] == "mine"


def test_a_contradiction_with_the_preset_is_refused() -> None:
    with pytest.raises(SpecError, match="quantised model cannot be trained whole"):
        find_preset("llm-sft/smallest-memory").apply({**VALUES, "peft": {"method": "none"}})


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(LuthierError, match="Did you mean llm-sft/balanced"):
        find_preset("llm-sft/balansed")
