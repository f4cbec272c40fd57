"""`data inspect` without a model: in this process, and as the one that prints JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from luthier.trainers.data.inspect import inspect_dataset, inspect_spec
from luthier.trainers.registry import tasks

Row = dict[str, Any]
ROWS = [{"prompt": f"What is {number}?\n", "completion": f"{number}."} for number in range(20)]


def folder(path: Path, rows: Sequence[Row] = ROWS) -> Path:
    """A folder with these training rows and one for validation."""
    for name, written in (("train", rows), ("validation", [ROWS[0] | {"prompt": "Held?"}])):
        (path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, written)))
    return path


def test_inspect_shows_bare_rows_with_the_trained_part(tmp_path: Path) -> None:
    report = inspect_dataset(inspect_spec(str(folder(tmp_path))))
    assert report.problems == []
    assert [row.model_dump() for row in report.rows] == [
        {
            "where": f"train.jsonl line {number + 1}",
            "tokens": None,
            "cut": False,
            "segments": [
                {"text": f"What is {number}?\n", "trained": False},
                {"text": f"{number}.", "trained": True},
            ],
        }
        for number in range(2)
    ]


@pytest.mark.parametrize(
    ("training", "trained"),
    [
        ({}, [True, True, True, True]),
        ({"assistant_only_loss": True}, [False, True, False, True]),
    ],
)
def test_inspect_marks_the_assistants_turns(
    tmp_path: Path, training: Row, trained: list[bool]
) -> None:
    roles = ["user", "assistant", "user", "assistant"]
    chat = [{"role": role, "content": str(number)} for number, role in enumerate(roles)]
    overrides = [f"training.{key}={json.dumps(value)}" for key, value in training.items()]
    (tmp_path / "a.jsonl").write_text(json.dumps({"messages": chat}))
    report = inspect_dataset(inspect_spec(str(tmp_path / "a.jsonl"), overrides=overrides))
    assert [(segment.text, segment.trained) for segment in report.rows[0].segments] == [
        (f"{role}: {number}\n", learnt)
        for number, (role, learnt) in enumerate(zip(roles, trained, strict=True))
    ]


def test_inspect_tells_problems_and_still_what_it_saw(tmp_path: Path) -> None:
    path = folder(tmp_path, [{"colour": "red", "taste": "sweet"}] * 3)
    report = inspect_dataset(inspect_spec(str(path)))
    assert report.format is None
    assert [column.name for column in report.columns] == ["colour", "taste"]
    assert report.train is not None
    assert report.train.rows == 3
    assert len(report.problems) == 1
    assert report.rows == []


def run_inspect(*arguments: str) -> tuple[int, Row, str]:
    done = subprocess.run(
        [sys.executable, "-m", "luthier.trainers.data.inspect", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, json.loads(done.stdout), done.stderr


def test_inspect_prints_one_object(tmp_path: Path) -> None:
    code, report, errors = run_inspect(str(folder(tmp_path)))
    assert (code, report["format"], errors) == (0, "prompt-completion", "")


def test_inspect_takes_a_run_spec_and_keeps_its_output_clean(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "print('loud')\ndef ask(row):\n    print('louder')\n    return row['prompt'] + '?'\n"
    )
    values = {
        "task": "llm-sft",
        "model": {"name_or_path": "none"},
        "data": {
            "path": str(folder(tmp_path)),
            "prompt_function": f"{tmp_path}/own.py:ask",
            "completion_template": "{completion}",
        },
    }
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(values))
    code, report, errors = run_inspect(
        str(tmp_path / "spec.yaml"), "--set", "data.validation_split=validation"
    )
    assert code == 0
    assert report["rows"][0]["segments"][0]["text"] == "What is 0?\n?"
    assert "louder" in errors


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["no.csv"], "no.csv: there is no such file or folder; check data.path"),
        (["no.csv", "--task", "llm-stf"], "task: There is no task 'llm-stf'."),
        (["no.csv", "--set", "data.formt=text"], "data.formt"),
        (["no.yaml"], "no.yaml: there is no such file."),
    ],
)
def test_inspect_of_what_is_not_there(arguments: list[str], sentence: str) -> None:
    code, report, errors = run_inspect(*arguments)
    (problem,) = report["problems"]
    assert (code, errors) == (2, "")
    assert sentence in f"{problem['where']}: {problem['message']}"


def test_nothing_heavy_is_loaded(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from luthier.trainers.data import inspect\n"
        f"assert inspect.main([{str(folder(tmp_path))!r}]) == 0\n"
        "heavy = {'torch', 'transformers', 'datasets', 'trl', 'peft', 'pyarrow', 'numpy'}\n"
        "print(heavy & set(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stderr == "set()\n"


def test_the_data_of_every_task_can_be_looked_at_without_a_model() -> None:
    for task in tasks().values():
        report = inspect_dataset(inspect_spec(str(task.sample), task=task.id))
        assert report.problems == [], task.id
        assert report.rows, task.id
