"""Remedies: a failure becomes changed settings that make a valid spec."""

from __future__ import annotations

from typing import Any

import pytest

from luthier.trainers.spec.file import parse_spec
from luthier.trainers.spec.yaml_loader import dump_yaml
from luthier.tui.hints import Remedy, remedy_for

OUT_OF_MEMORY = "Memory ran out with a single row in the batch."


def spec(**sections: dict[str, Any]) -> dict[str, Any]:
    """A resolved spec with these settings."""
    values: dict[str, Any] = {
        "task": "llm-sft",
        "model": {"name_or_path": "some/model"},
        "data": {"path": "/data/train.jsonl"},
    }
    for name, section in sections.items():
        values[name] = {**values.get(name, {}), **section}
    return parse_spec(dump_yaml(values)).model_dump(mode="json")


def changes(remedy: Remedy | None) -> dict[str, Any]:
    assert remedy is not None
    return {change.key: change.new for change in remedy.changes}


def applied(values: dict[str, Any], remedy: Remedy) -> dict[str, Any]:
    """The spec with the remedy, which must still be valid."""
    merged = {
        key: {**part, **remedy.values.get(key, {})} if isinstance(part, dict) else part
        for key, part in values.items()
    }
    return parse_spec(dump_yaml(merged)).model_dump(mode="json")


def test_memory_is_saved_first_where_it_costs_speed_only() -> None:
    found = remedy_for(spec(), OUT_OF_MEMORY, "")
    assert changes(found) == {
        "training.gradient_checkpointing": True,
        "training.per_device_train_batch_size": 4,
        "training.gradient_accumulation_steps": 2,
    }


def test_the_ladder_of_memory_has_an_end_and_valid_rungs() -> None:
    values, seen = spec(peft={"method": "none"}), []
    while (remedy := remedy_for(values, OUT_OF_MEMORY, "")) is not None:
        seen.append(sorted(changes(remedy)))
        values = applied(values, remedy)
        assert len(seen) < 20
    assert values["training"]["per_device_train_batch_size"] == 1
    assert values["training"]["gradient_accumulation_steps"] == 8
    assert values["peft"]["method"] == "lora"
    assert values["model"]["load_in_4bit"] is True
    assert 64 <= values["training"]["max_length"] < 128


def test_an_odd_batch_keeps_its_effective_size() -> None:
    found = changes(
        remedy_for(spec(training={"per_device_train_batch_size": 9}), OUT_OF_MEMORY, "")
    )
    assert found["training.per_device_train_batch_size"] == 3
    assert found["training.gradient_accumulation_steps"] == 3


def test_the_cpu_has_no_4_bits() -> None:
    values = spec(
        training={"per_device_train_batch_size": 1, "gradient_checkpointing": True},
        launch={"devices": "cpu"},
    )
    assert changes(remedy_for(values, OUT_OF_MEMORY, "")) == {"training.max_length": 512}


@pytest.mark.parametrize(
    ("reason", "hint", "sections", "wanted"),
    [
        (
            "Memory ran out during an evaluation.",
            "Lower evaluation.per_device_eval_batch_size.",
            {},
            {"evaluation.per_device_eval_batch_size": 4},
        ),
        (
            "LocalEntryNotFoundError",
            "It is not on this machine and the run is offline: turn launch.offline off.",
            {"launch": {"offline": True}},
            {"launch.offline": False},
        ),
        (
            "The tokenizer has no chat template.",
            "Set model.chat_template to chatml.",
            {},
            {"model.chat_template": "chatml"},
        ),
        (
            "flash_attn is not installed.",
            "flash_attention_2 needs the flash-attn package.",
            {"model": {"attn_implementation": "flash_attention_2"}},
            {"model.attn_implementation": "sdpa"},
        ),
        (
            "No module named bitsandbytes.",
            "pip install bitsandbytes.",
            {"model": {"load_in_4bit": True}, "training": {"optim": "paged_adamw_8bit"}},
            {"model.load_in_4bit": False, "training.optim": "adamw_torch_fused"},
        ),
        (
            "Target modules {'q'} not found in the base model.",
            "peft.target_modules names no module of this model.",
            {"peft": {"target_modules": ["q"]}},
            {"peft.target_modules": "all-linear"},
        ),
        (
            "index out of range in self.",
            "model.tokenizer must belong to the model.",
            {"model": {"tokenizer": "other/one"}},
            {"model.tokenizer": None},
        ),
        (
            "The disk of /runs is full.",
            "Free some space, then: luthier resume",
            {},
            {"training.save_total_limit": 1},
        ),
    ],
)
def test_causes_have_their_remedies(
    reason: str, hint: str, sections: dict[str, Any], wanted: dict[str, Any]
) -> None:
    values = spec(**sections)
    remedy = remedy_for(values, reason, hint)
    assert changes(remedy) == wanted
    assert remedy is not None
    assert remedy.cause.endswith(".")
    applied(values, remedy)


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        ("Something nobody has seen.", ""),
        ("The model brings its own code.", "If you trust it, set model.trust_remote_code."),
        ("The repository asks for consent.", "Set HF_TOKEN where the agent runs."),
        ("index out of range in self.", "model.tokenizer must belong to the model."),
    ],
)
def test_what_is_not_for_a_program_to_change_stays_words(reason: str, hint: str) -> None:
    assert remedy_for(spec(), reason, hint) is None


def test_specs_of_other_tasks_need_not_have_the_settings() -> None:
    assert remedy_for({"task": "tabular"}, "Needs deepspeed and flash_attention_2.", "") is None
    assert remedy_for({"task": "tabular", "model": None}, OUT_OF_MEMORY, "") is None


def test_the_values_are_nested_as_in_a_spec() -> None:
    remedy = remedy_for(spec(), OUT_OF_MEMORY, "")
    assert remedy is not None
    assert remedy.values["training"]["per_device_train_batch_size"] == 4
