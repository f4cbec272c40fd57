"""``luthier init``: the spec it writes is valid, complete, and equal to the defaults."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from luthier.agent.cli.fields import settings
from luthier.agent.cli.starter import starter_spec, starter_values
from luthier.presets import Preset, presets
from luthier.trainers.registry import Task, tasks
from luthier.trainers.spec.file import build_spec, parse_spec

if TYPE_CHECKING:
    from .conftest import Luthier

every_task = pytest.mark.parametrize("task", tasks().values(), ids=lambda task: task.id)
every_preset = pytest.mark.parametrize("preset", presets(), ids=lambda preset: preset.name)


def uncommented(text: str) -> str:
    """Every setting switched on, by deleting the # before a key; help has a space after it."""
    return re.sub(r"^( *)#((?:  +)?\w+:)", r"\1\2", text, flags=re.MULTILINE)


@every_task
def test_a_starter_spec_equals_the_defaults(task: Task) -> None:
    assert parse_spec(starter_spec(task)) == build_spec(starter_values(task))


@every_task
def test_deleting_every_hash_changes_nothing(task: Task) -> None:
    assert parse_spec(uncommented(starter_spec(task))) == build_spec(starter_values(task))


@every_task
def test_every_setting_stands_in_a_starter_spec_with_its_help(task: Task) -> None:
    text = starter_spec(task)
    values = yaml.safe_load(uncommented(text))
    flat = " ".join(text.replace("#", " ").split())
    for setting in settings(task.spec):
        section = values
        for name in setting.key.split("."):
            assert name in section, setting.key
            section = section[name]
        assert setting.meaning in flat, setting.key


@every_task
def test_settings_for_everybody_are_live_and_the_others_are_not(task: Task) -> None:
    live = yaml.safe_load(starter_spec(task))
    shown = {
        f"{name}.{key}" if isinstance(value, dict) else name
        for name, value in live.items()
        for key in (value if isinstance(value, dict) else [""])
    }
    wanted = {each.key for each in settings(task.spec) if each.level == "beginner"}
    assert shown == wanted


@every_preset
def test_a_starter_spec_from_a_preset_is_that_preset(preset: Preset) -> None:
    task = tasks()[preset.task]
    text = starter_spec(task, preset)
    expected = preset.apply(starter_values(task))
    assert parse_spec(text) == expected
    assert parse_spec(uncommented(text)) == expected


def test_init_writes_a_file_that_validates(luthier: Luthier) -> None:
    assert luthier("init", "llm-sft").code == 0
    assert Path("llm-sft.yaml").exists()
    assert luthier("validate", "llm-sft.yaml").code == 0


def test_init_overwrites_only_when_told_to(luthier: Luthier) -> None:
    Path("mine.yaml").write_text("precious")
    refused = luthier("init", "llm-sft", "-o", "mine.yaml")
    assert refused.code == 2
    assert Path("mine.yaml").read_text() == "precious"
    assert luthier("init", "llm-sft", "-o", "mine.yaml", "--force").code == 0
    assert "task: llm-sft" in Path("mine.yaml").read_text()


def test_init_to_standard_output_writes_no_file(luthier: Luthier) -> None:
    shown = luthier("init", "llm-generic", "--output", "-")
    assert parse_spec(shown.out).task == "llm-generic"
    assert list(Path().iterdir()) == []


def test_init_takes_a_preset_with_or_without_its_task(luthier: Luthier) -> None:
    short = luthier("init", "llm-sft", "-o", "-", "--preset", "best-quality")
    long = luthier("init", "llm-sft", "-o", "-", "--preset", "llm-sft/best-quality")
    assert short == long
    assert yaml.safe_load(short.out)["peft"]["use_rslora"] is True
