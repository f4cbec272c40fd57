"""The form of a run as plain data."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.agent.cli.starter import starter_values
from luthier.presets import find_preset, presets
from luthier.trainers.errors import LuthierError
from luthier.trainers.registry import tasks
from luthier.trainers.spec.file import build_spec, parse_spec
from luthier.trainers.spec.yaml_loader import dump_yaml, load_yaml
from luthier.tui.forms import (
    Form,
    as_command,
    as_yaml,
    form_fields,
    from_lines,
    from_text,
    to_lines,
    to_text,
)
from luthier.tui.forms.entry import number_text

SFT = "llm-sft"


def filled(**values: Any) -> Form:
    form = Form(SFT)
    form.set("model.name_or_path", "some/model")
    form.set("data.path", "rows.jsonl")
    for key, value in values.items():
        form.set(key.replace("__", "."), value)
    return form


# -- fields ----------------------------------------------------------------------------------


@pytest.mark.parametrize("task", tasks())
def test_every_setting_of_a_task_is_a_field_with_its_declared_default(task: str) -> None:
    spec = build_spec(starter_values(tasks()[task]))
    written = {
        f"{section}.{key}" if isinstance(inner, dict) else section
        for section, inner in spec.model_dump().items()
        for key in (inner if isinstance(inner, dict) else [""])
    }
    fields = {field.key: field for field in form_fields(task)}
    assert set(fields) == written - {"task"}
    assert fields["launch.host"].default == "local"
    assert fields["data.path"].required
    assert all(field.meaning for field in fields.values())


def test_how_a_field_is_edited_follows_from_its_type() -> None:
    fields = {field.key: field for field in form_fields(SFT)}
    kinds = {key: field.kind for key, field in fields.items()}
    assert kinds["name"] == "text"
    assert kinds["training.learning_rate"] == "number"
    assert kinds["model.load_in_4bit"] == "switch"
    assert kinds["peft.method"] == "choice"
    assert kinds["training.report_to"] == "choices"
    assert kinds["data.column_mapping"] == "mapping"
    assert kinds["evaluation.sample_prompts"] == "list"
    assert kinds["peft.target_modules"] == kinds["launch.devices"] == "mixed"
    assert fields["launch.devices"].choices == ("auto", "cpu")
    assert fields["training.completion_only_loss"].nullable
    assert fields["training.learning_rate"].heading == "training · optimizer"


def test_sections_stand_in_the_order_in_which_people_think_and_groups_stand_together() -> None:
    headings = [field.heading for field in form_fields(SFT)]
    changes = [one for one, before in zip(headings, ["", *headings], strict=False) if one != before]
    assert len(changes) == len(set(changes))
    assert changes[:3] == ["run", "model", "data"]


# -- entry -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("training.learning_rate", "3e-5", 3e-5),
        ("training.learning_rate", " 1 ", 1),
        ("training.learning_rate", "fast", "fast"),
        ("training.learning_rate", "true", "true"),
        ("training.learning_rate", "", 2e-4),
        ("training.data_seed", "", None),
        ("training.completion_only_loss", "", None),
        ("training.completion_only_loss", "false", False),
        ("model.load_in_4bit", "True", True),
        ("model.load_in_4bit", "maybe", "maybe"),
        ("name", "3e-5", "3e-5"),
        ("data.system_prompt", "", None),
        ("data.path", "   ", None),
        ("training.report_to", "wandb, mlflow", ["wandb", "mlflow"]),
        ("launch.devices", "cpu", "cpu"),
        ("launch.devices", "0", [0]),
        ("launch.devices", "0, 2", [0, 2]),
        ("peft.target_modules", "all-linear", "all-linear"),
        ("peft.target_modules", "q_proj, v_proj", ["q_proj", "v_proj"]),
        ("peft.target_modules", "[q_proj]", ["q_proj"]),
        ("data.column_mapping", "{prompt: q, completion: a}", {"prompt": "q", "completion": "a"}),
        ("data.column_mapping", "{prompt: ", "{prompt:"),
    ],
)
def test_what_is_typed_becomes_the_value_that_is_meant(key: str, text: str, value: Any) -> None:
    found = from_text(Form(SFT).field(key), text)
    assert found == value
    assert isinstance(found, bool) == isinstance(value, bool)


@pytest.mark.parametrize("task", tasks())
def test_every_default_survives_being_shown_and_typed(task: str) -> None:
    for field in form_fields(task):
        assert from_text(field, to_text(field, field.default)) == field.default, field.key
        assert from_lines(field, to_lines(field, field.default)) == field.default, field.key


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), max_size=4))
def test_a_list_of_prompts_survives_the_box(prompts: list[str]) -> None:
    wanted = [prompt.strip() for prompt in prompts if prompt.strip() and prompt.isprintable()]
    wanted = [prompt for prompt in wanted if not prompt.startswith(("- ", "["))]
    field = Form(SFT).field("evaluation.sample_prompts")
    assert from_lines(field, to_lines(field, wanted)) == wanted


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_survives_its_short_form(value: float) -> None:
    assert load_yaml(number_text(value)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [(2e-4, "2e-4"), (5e-5, "5e-5"), (0.05, "0.05"), (3.0, "3"), (1e-8, "1e-8"), (0.999, "0.999"),
     (0.0, "0"), (1e22, "1e22"), (0.0012, "0.0012")],
)  # fmt: skip
def test_numbers_are_shown_as_people_write_them(value: float, text: str) -> None:
    assert number_text(value) == text


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(
        st.characters(exclude_categories=["Cs", "Cc"])
    ) | st.sampled_from(["3e-5", "no", "1:30", "0x1f", "1_000", "~", "2026-01-01", "- a", "#x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc"), inner, max_size=3),
)  # fmt: skip


@given(_VALUES, st.booleans())
def test_written_yaml_is_read_back_as_the_same(value: Any, flow: bool) -> None:
    assert load_yaml(dump_yaml(value, flow=flow)) == value


# -- values ----------------------------------------------------------------------------------


def test_an_own_value_wins_over_the_preset_and_the_preset_over_the_default() -> None:
    form = Form(SFT)
    form.use_preset(find_preset("llm-sft/best-quality"))
    assert (form.value("peft.r"), form.source("peft.r")) == (64, "preset")
    form.set("peft.r", 8)
    assert (form.value("peft.r"), form.source("peft.r")) == (8, "own")
    form.use_preset(find_preset("llm-sft/quick-test"))
    assert (form.value("peft.r"), form.source("peft.r")) == (8, "preset")
    form.use_preset(None)
    assert (form.value("peft.r"), form.source("peft.r")) == (16, "default")


def test_choosing_the_default_against_a_preset_is_a_choice() -> None:
    form = filled()
    form.use_preset(find_preset("llm-sft/smallest-memory"))
    form.set("model.load_in_4bit", False)
    assert form.source("model.load_in_4bit") == "own"
    assert "load_in_4bit" not in form.values()["model"]
    form.reset("model.load_in_4bit")
    assert form.value("model.load_in_4bit") is True


def test_only_what_differs_from_the_defaults_is_written() -> None:
    form = filled(training__learning_rate=1e-3, training__max_steps=-1)
    assert form.values() == {
        "task": SFT,
        "model": {"name_or_path": "some/model"},
        "data": {"path": "rows.jsonl"},
        "training": {"learning_rate": 1e-3},
    }
    assert [change.field.key for change in form.changes()] == [
        "model.name_or_path",
        "data.path",
        "training.learning_rate",
    ]


def test_a_spec_fills_the_form_and_unknown_keys_are_told() -> None:
    form = Form(SFT)
    values = {"task": SFT, "peft": {"r": 4, "rank": 1}, "extra": 1, "data": {"column_mapping": {}}}
    assert form.fill(values) == ["peft.rank", "extra"]
    assert form.value("peft.r") == 4
    assert form.own() == {"peft.r": 4}
    form.fill({"data": {"column_mapping": {"prompt": "q", "completion": "a"}}})
    assert form.value("data.column_mapping") == {"prompt": "q", "completion": "a"}


# -- checks ----------------------------------------------------------------------------------


def test_a_form_that_works_gives_its_spec() -> None:
    check = filled().check()
    assert check.spec is not None
    assert check.count == 0


@pytest.mark.parametrize(
    ("key", "text", "sentence"),
    [
        ("training.learning_rate", "-1", "learning_rate must be greater than 0, not -1"),
        ("training.learning_rate", "fast", "learning_rate must be a number, not 'fast'"),
        ("peft.r", "1.5", "r must be a whole number, not 1.5"),
        ("data.path", "", "path is missing"),
        (
            "data.column_mapping",
            "q",
            "column_mapping must be a mapping (key: value lines), not 'q'",
        ),
        ("model.load_in_4bit", "often", "load_in_4bit must be true or false, not 'often'"),
        ("launch.devices", "gpu", "devices must be auto or cpu or a list, not 'gpu'"),
        ("output.push_to_hub", "true", None),
    ],
)
def test_a_mistake_is_one_sentence_at_its_field(key: str, text: str, sentence: str | None) -> None:
    form = filled()
    form.set(key, from_text(form.field(key), text))
    check = form.check()
    assert check.spec is None
    if sentence is None:
        assert check.problems == {
            "output.hub_model_id": "hub_model_id: push_to_hub needs the repository, owner/name"
        }
    else:
        assert check.problems == {key: sentence}


def test_an_empty_form_misses_model_and_data_only() -> None:
    assert Form(SFT).check().problems == {
        "model.name_or_path": "name_or_path is missing",
        "data.path": "path is missing",
    }


@given(
    st.dictionaries(
        st.sampled_from([field.key for field in form_fields(SFT)]),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
        | st.sampled_from(["-1", "0", "1e9", "true", "[1]", "{a: b}", "nan", "lora", "none"]),
        max_size=5,
    )
)
def test_whatever_is_typed_every_problem_stands_at_a_field(entries: dict[str, str]) -> None:
    form = filled()
    for key, text in entries.items():
        form.set(key, from_text(form.field(key), text))
    check = form.check()
    assert (check.spec is None) == (check.count > 0)
    assert check.other == ()


def test_there_is_no_form_of_an_unknown_task() -> None:
    with pytest.raises(LuthierError, match="llm-sft"):
        Form("llm-stf")


# -- taking it along -------------------------------------------------------------------------


@pytest.mark.parametrize("preset", [None, *(p.name for p in presets() if p.task == SFT)])
def test_the_yaml_makes_the_same_spec(preset: str | None) -> None:
    form = filled(name="3e-5", data__system_prompt="Be kind.\nAlways: 'yes'", peft__r=8)
    form.use_preset(find_preset(preset) if preset else None)
    assert parse_spec(as_yaml(form)) == form.check().spec


def test_the_command_starts_the_same_run() -> None:
    from luthier.agent.cli.starter import starter_spec

    form = filled(name="My run's 1st", data__system_prompt='Be kind.\nSay "yes", it\'s fine')
    form.use_preset(find_preset("llm-sft/smallest-memory"))
    form.set("model.load_in_4bit", False)
    # What a real shell makes of it: one call a line, each argument ended by a zero byte.
    script = f"""luthier() {{ printf '%s\\0' "$@"; printf '\\n'; }}; {as_command(form)}"""
    said = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout
    init, run = (line.split("\0") for line in said.split("\0\n")[:-1])
    assert init == ["init", SFT, "--preset", "llm-sft/smallest-memory", "-o",
                                "my-run-s-1st.yaml"]  # fmt: skip
    assert run[:2] == ["run", "my-run-s-1st.yaml"]
    overrides = [word.removeprefix("--set=") for word in run[2:]]
    assert form.preset is not None
    written = starter_spec(form.task, form.preset)
    assert parse_spec(written, overrides=overrides) == form.check().spec
