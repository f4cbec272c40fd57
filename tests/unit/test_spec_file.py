"""Specs as files: what is read, what is refused and with which words."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.agent.cli.starter import starter_values
from luthier.trainers.errors import LuthierError, SpecError
from luthier.trainers.registry import find_task, tasks
from luthier.trainers.spec.file import build_spec, dump_spec, load_spec, parse_spec

GOOD = """\
task: llm-sft
model:
  name_or_path: some/model
data: {path: rows.jsonl}
training:
  learning_rate: 3e-5
"""


def problems(text: str, overrides: tuple[str, ...] = ()) -> list[str]:
    with pytest.raises(SpecError) as caught:
        parse_spec(text, source="run.yaml", overrides=overrides)
    return [str(problem) for problem in caught.value.problems]


def test_numbers_that_yaml_reads_as_text_are_numbers() -> None:
    spec = parse_spec(GOOD)
    assert spec.model_dump()["training"]["learning_rate"] == 3e-5


def test_overrides_win_over_the_file() -> None:
    spec = parse_spec(GOOD, overrides=["training.learning_rate=1e-3", "peft.method=none"])
    values = spec.model_dump()
    assert values["training"]["learning_rate"] == 1e-3
    assert values["peft"]["method"] == "none"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "run.yaml: the spec is empty; write one with: luthier init TASK"),
        ("- a", "run.yaml: a spec is a mapping of sections (key: value lines)"),
        ("model: {}", f"run.yaml: task is missing; choose one of {', '.join(tasks())}"),
        (
            "task: llm-stf",
            "run.yaml:1: task: There is no task 'llm-stf'. Did you mean llm-sft?",
        ),
        ("task: [llm-sft]", "run.yaml:1: task must be a name such as llm-sft"),
        (
            GOOD + "  lerning_rate: 1\n",
            "run.yaml:7: unknown key training.lerning_rate; did you mean training.learning_rate?",
        ),
        (
            GOOD + "learning_rate: 1\n",
            "run.yaml:7: unknown key learning_rate; did you mean training.learning_rate?",
        ),
        (
            GOOD.replace("3e-5", "fast"),
            "run.yaml:6: training.learning_rate must be a number, not 'fast'",
        ),
        (
            GOOD + "launch: {devices: gpu}\n",
            "run.yaml:7: launch.devices must be auto or cpu or a list, not 'gpu'",
        ),
        (
            GOOD + "launch:\n  devices: [0, a]\n",
            "run.yaml:8: launch.devices.1 must be a whole number, not 'a'",
        ),
        ("task: llm-sft\ntask: llm-sft", "run.yaml:2: task stands twice; keep one"),
        ("[" * 5000, "run.yaml: not a spec: nested too deeply"),
        (
            GOOD + "launch: {precision: fp15}\n",
            "run.yaml:7: launch.precision must be auto, no, fp16 or bf16, not 'fp15'",
        ),
    ],
)
def test_a_wrong_spec_gets_one_sentence_with_its_line(text: str, expected: str) -> None:
    assert problems(text) == [expected]


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (
            ["model.load_in_4bit=true", "model.load_in_8bit=true"],
            "--set: model.load_in_8bit: choose load_in_4bit or load_in_8bit, not both",
        ),
        (
            ["model.load_in_4bit=true", "peft.method=none"],
            "--set: model.load_in_4bit: a quantised model cannot be trained whole; "
            "set peft.method to lora",
        ),
        (
            ["launch.strategy=single", "launch.processes=2"],
            "--set: launch.strategy: single is one process, but launch.processes is 2",
        ),
        (
            ["output.push_to_hub=true"],
            "run.yaml: output.hub_model_id: push_to_hub needs the repository, owner/name",
        ),
        (
            ["evaluation.strategy=no", "evaluation.early_stopping_patience=3"],
            "--set: evaluation.early_stopping_patience: needs evaluation.strategy steps or epoch",
        ),
        (
            ["peft.method=ia3", "peft.use_rslora=true"],
            "--set: peft.use_rslora: needs method lora or dora, not ia3",
        ),
        (
            ["data.weight_column=w", "training.packing=true"],
            "--set: training.packing: packed rows cannot have weights; turn packing off",
        ),
    ],
)
def test_combinations_that_cannot_work_are_refused(overrides: list[str], expected: str) -> None:
    assert problems(GOOD, tuple(overrides)) == [expected]


def test_every_mistake_is_reported_at_once() -> None:
    found = problems(GOOD + "  max_length: 1\n  packing: maybe\npeft: {r: 0}\n")
    assert len(found) == 3


@pytest.mark.parametrize("override", ["training.max_steps", "=3", "task.x=1", "a..b=2"])
def test_an_override_of_another_form_is_refused(override: str) -> None:
    with pytest.raises(LuthierError, match="--set"):
        parse_spec(GOOD, overrides=[override])


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(LuthierError, match=r"absent\.yaml: there is no such file"):
        load_spec(tmp_path / "absent.yaml")
    with pytest.raises(LuthierError, match="is a folder"):
        load_spec(tmp_path)
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"task: \xff\xfe")
    with pytest.raises(LuthierError, match="not UTF-8 text"):
        load_spec(binary)


@pytest.mark.parametrize("task_id", tasks())
def test_a_dumped_spec_reads_back_as_itself(task_id: str) -> None:
    spec = build_spec({**starter_values(find_task(task_id)), "name": "2026-01-01"})
    assert isinstance(spec, find_task(task_id).spec)
    assert parse_spec(dump_spec(spec)) == spec


@given(st.text())
def test_no_text_makes_the_reader_crash(text: str) -> None:
    try:
        parse_spec(text)
    except LuthierError:
        return


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    ),
    st.sampled_from(["model", "data", "training", "peft", "evaluation", "launch", "output"]),
)
def test_no_value_makes_the_checks_crash(value: object, section: str) -> None:
    values = {"task": "llm-sft", "model": {"name_or_path": "m"}, "data": {"path": "d"}}
    try:
        build_spec({**values, section: value})
    except SpecError:
        return


def test_plain_words_keep_their_meaning() -> None:
    spec = parse_spec(GOOD + "  save_strategy: no\nname: 2026-01-01\nlaunch: {precision: no}\n")
    values = spec.model_dump()
    assert values["training"]["save_strategy"] == "no"
    assert values["launch"]["precision"] == "no"
    assert values["name"] == "2026-01-01"
