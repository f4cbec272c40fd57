"""The preset library: every file loads, says its reasons, and makes a spec that can work."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import luthier.presets
from luthier.presets import Preset, find_preset, presets
from luthier.presets.catalog import models
from luthier.presets.files import parse_file
from luthier.presets.library import check, open_settings
from luthier.presets.memory import GIB, DeviceFacts, ModelShape, quick_estimate
from luthier.presets.memory.architectures import shape_of_config
from luthier.presets.own import OwnPresets, text_of
from luthier.trainers.errors import LuthierError, SpecError
from luthier.trainers.registry import find_task, tasks
from luthier.trainers.spec import GradientSpec

VALUES = {"model": {"name_or_path": "some/model"}, "data": {"path": "rows.jsonl"}}
FILES = sorted((Path(luthier.presets.__file__).parent / "library").glob("*/*.yaml"))
KINDS = {"quick-test", "balanced", "best-quality"}
LANGUAGE_KINDS = {
    *KINDS, "smallest-memory", "fastest", "long-context", "full", "lora", "qlora",
    "llama", "qwen", "mistral", "gemma", "phi", "smollm", "qaic", "qaic-full",
    "size-0.1b", "size-1b", "size-3b", "size-8b", "size-14b", "size-32b", "size-70b",
}  # fmt: skip
# Layers and width of stand-ins from 0.1 to 70 billion parameters.
WIDTHS = {0.5: (24, 1024), 1.5: (24, 2048), 4: (32, 3072), 9: (32, 4608), 15: (40, 5120),
          35: (60, 6656), 80: (80, 8192)}  # fmt: skip


def given_for(preset: Preset) -> dict[str, Any]:
    """The least that a spec of the preset's task has to say."""
    values: dict[str, Any] = {}
    for section, key, stand_in in open_settings(find_task(preset.task)):
        if key not in preset.settings.get(section, {}):
            values.setdefault(section, {})[key] = stand_in
    return values


def stand_in(preset: Preset) -> ModelShape:
    """A model of the kind that the task trains and the size that the preset is for."""
    if not preset.task.startswith("llm-"):
        entry = next(entry for entry in models() if preset.task in entry.tasks)
        return shape_of_config(entry.config, entry.id)
    most = preset.suits.parameters[1] if preset.suits.parameters else 1.5
    layers, hidden = next(size for limit, size in WIDTHS.items() if most <= limit)
    config = {
        "model_type": (preset.suits.models or ["llama"])[0],
        "num_hidden_layers": layers,
        "hidden_size": hidden,
        "intermediate_size": 3 * hidden,
        "num_attention_heads": hidden // 64,
        "num_key_value_heads": hidden // 64,
        "vocab_size": 50000,
        "max_position_embeddings": 32768,
        "torch_dtype": "bfloat16",
    }
    return shape_of_config(config, "stand-in")


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_file_says_what_it_is_for_what_it_trades_and_where_its_numbers_come_from(
    path: Path,
) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# ")
    file = parse_file(text, str(path), [path.parent.name])
    for words in (file.purpose, file.trades, file.sources):
        assert len(words.split()) >= 5, words
        assert words.endswith(".")
    assert any(file.specificity(task) is not None for task in tasks().values())


@pytest.mark.parametrize("preset", presets(), ids=lambda preset: preset.name)
def test_every_preset_makes_a_valid_spec(preset: Preset) -> None:
    spec = preset.apply(given_for(preset)).model_dump()
    assert spec["task"] == preset.task
    for section, settings in preset.settings.items():
        for key, value in settings.items():
            assert spec[section][key] == value


@pytest.mark.parametrize("preset", presets(), ids=lambda preset: preset.name)
def test_every_preset_of_a_network_can_be_estimated(preset: Preset) -> None:
    if not issubclass(find_task(preset.task).spec, GradientSpec):
        # Tables load no network; Auto and estimates refuse them in a sentence.
        assert find_task(preset.task).family == "tabular"
        return
    spec = preset.apply(given_for(preset))
    assert isinstance(spec, GradientSpec)
    kind = (preset.suits.devices or ["cuda"])[0]
    device = DeviceFacts(kind, "card", 80 * GIB, 80 * GIB, bf16=kind != "qaic")
    found = quick_estimate(spec, stand_in(preset), device)
    assert 0 < found.low <= found.total <= found.high
    assert found.part("weights") > 0


@pytest.mark.parametrize("task", tasks())
def test_every_task_has_its_presets(task: str) -> None:
    kinds = {preset.kind for preset in presets() if preset.task == task}
    assert (LANGUAGE_KINDS if task.startswith("llm-") else KINDS) <= kinds


def test_sizes_from_a_tenth_to_seventy_billion_follow_each_other() -> None:
    ranges = sorted(
        preset.suits.parameters
        for preset in presets()
        if preset.kind.startswith("size-") and preset.task == "llm-sft" and preset.suits.parameters
    )
    assert ranges[0][0] <= 0.1
    assert ranges[-1][1] >= 72
    assert all(one[1] == other[0] for one, other in pairwise(ranges))


@pytest.mark.parametrize(
    "preset", [p for p in presets() if "qaic" in p.kind], ids=lambda preset: preset.name
)
def test_qaic_presets_ask_for_nothing_that_the_cards_lack(preset: Preset) -> None:
    spec = preset.apply(given_for(preset))
    assert isinstance(spec, GradientSpec)
    assert spec.launch.precision == "fp16"
    assert not spec.model.load_in_4bit
    assert not spec.model.load_in_8bit
    assert spec.training.optim in ("adamw_torch", "sgd")
    assert spec.training.dataloader_drop_last


def test_a_rate_that_is_multiplied_follows_the_tasks_own() -> None:
    for task in ("llm-sft", "llm-generic"):
        own = find_task(task).spec.model_fields["training"].default.learning_rate
        full = find_preset(f"{task}/full").settings["training"]["learning_rate"]
        assert full == pytest.approx(own / 10)


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


def test_presets_are_joined_and_the_later_wins() -> None:
    joined = find_preset("llm-sft/balanced+phi+qaic")
    assert joined.settings["peft"]["r"] == find_preset("llm-sft/qaic").settings["peft"]["r"]
    assert joined.settings["peft"]["target_modules"][0] == "qkv_proj"
    assert joined.settings["training"]["num_train_epochs"] == 3
    assert joined.settings["launch"]["precision"] == "fp16"
    check(joined)


# -- one's own -----------------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path) -> OwnPresets:
    """A folder of presets that is not there yet."""
    return OwnPresets(tmp_path / "presets")


def test_a_copy_is_the_same_and_can_be_changed(own: OwnPresets) -> None:
    made = own.copy("llm-sft/balanced", "evening")
    original = find_preset("llm-sft/balanced")
    assert (made.name, made.own) == ("llm-sft/evening", True)
    assert made.settings == original.settings
    assert (made.purpose, made.trades, made.sources) == (
        original.purpose, original.trades, original.sources
    )  # fmt: skip
    changed = own.write(made.name, own.text(made.name).replace("r: 16", "r: 4"))
    assert changed.settings["peft"]["r"] == 4
    assert own.library.find("evening", "llm-sft") == changed
    assert own.library.problems() == []
    own.remove(made.name)
    with pytest.raises(LuthierError, match="no preset"):
        own.library.find(made.name)


@pytest.mark.parametrize("preset", presets(), ids=lambda preset: preset.name)
def test_every_preset_survives_being_copied(preset: Preset) -> None:
    file = parse_file(text_of(preset), "copy", [preset.task])
    assert file.settings_for(find_task(preset.task)) == preset.settings
    assert file.suits == preset.suits
    assert file.quirks == preset.quirks


def test_ones_own_of_the_same_name_wins(own: OwnPresets) -> None:
    own.copy("llm-sft/balanced", "balanced")
    assert own.library.find("llm-sft/balanced").own
    assert not find_preset("llm-sft/balanced").own
    names = [preset.name for preset in own.library.presets("llm-sft")]
    assert names.count("llm-sft/balanced") == 1


def test_a_damaged_file_is_told_and_hides_nothing_else(own: OwnPresets, tmp_path: Path) -> None:
    own.copy("llm-sft/lora", "good")
    folder = tmp_path / "presets" / "llm-sft"
    (folder / "bad.yaml").write_text("title: [")
    (folder / "wrong.yaml").write_text("title: A\npurpose: B\nsettings: {peft: {rank: 4}}\n")
    (folder / "lost.yaml").write_text("title: A\npurpose: B\ntasks: [llm-none]\n")
    assert "llm-sft/good" in {preset.name for preset in own.library.own()}
    problems = own.library.problems()
    assert len(problems) == 3
    assert any("bad.yaml:1: not valid YAML" in problem for problem in problems)
    assert any("wrong.yaml: unknown key peft.rank" in problem for problem in problems)
    assert any("it is for llm-none, which is no task" in problem for problem in problems)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("- a list", "a preset is a mapping"),
        ("title: A", "purpose is missing"),
        ("title: A\npurpose: B\nsetings: {}", "unknown key setings; known are title"),
        ("title: A\npurpose: B\nsettings: {training: {max_steps: x}}", "max_steps must be"),
        ("title: A\npurpose: B\ntasks: [llm-dpo]", "tasks has to hold llm-sft"),
        ("title: A\npurpose: B\nsuits: {devices: [tpu]}", "suits.devices.0: "),
    ],
)
def test_a_text_that_is_no_preset_gets_a_sentence_and_is_not_kept(
    own: OwnPresets, text: str, sentence: str
) -> None:
    with pytest.raises(LuthierError) as caught:
        own.write("llm-sft/mine", text)
    assert sentence in str(caught.value)
    assert own.library.own() == []


@pytest.mark.parametrize(
    "name", ["mine", "llm-sft/", "llm-sft/../x", "llm-sft/A b", "no-task/mine", "llm-sft/.x"]
)
def test_a_name_that_will_not_do_is_refused(own: OwnPresets, name: str) -> None:
    with pytest.raises(LuthierError):
        own.path(name)


def test_a_taken_name_and_the_librarys_own_are_safe(own: OwnPresets) -> None:
    own.copy("llm-sft/lora", "mine")
    with pytest.raises(LuthierError, match="already"):
        own.copy("llm-sft/qlora", "mine")
    with pytest.raises(LuthierError, match="not yours to delete"):
        own.remove("llm-sft/balanced")


@given(st.text(max_size=200))
def test_any_text_is_a_preset_or_a_sentence(text: str) -> None:
    sentence = "file.yaml"
    try:
        parse_file(text, "file.yaml", ["llm-sft"])
    except LuthierError as error:
        sentence = str(error)
    assert sentence.startswith("file.yaml")
    assert "\n" not in sentence
