"""Saved setups and what was used last."""

from __future__ import annotations

from pathlib import Path

import pytest

from luthier.agent.paths import Home
from luthier.trainers.errors import LuthierError
from luthier.trainers.spec.file import load_spec
from luthier.tui.forms import Form, as_yaml
from luthier.tui.setups import LastUsed, Setups, complaints, values_of

GOOD = """\
# My first. For
# the office.
task: llm-sft
model: {name_or_path: some/model}
data: {path: rows.jsonl}
"""


@pytest.fixture
def setups(tmp_path: Path) -> Setups:
    return Setups(Home(tmp_path / "home"))


def test_there_are_none_at_first(setups: Setups) -> None:
    assert setups.all() == []
    assert setups.last() is None


def test_a_saved_setup_comes_back_and_is_a_spec_file(setups: Setups) -> None:
    form = Form("llm-sft")
    form.fill({"model": {"name_or_path": "m"}, "data": {"path": "d"}, "peft": {"r": 4}})
    saved = setups.save("Office, evening", as_yaml(form))
    assert [each.name for each in setups.all()] == ["Office, evening"]
    assert load_spec(saved.path) == form.check().spec
    other = Form("llm-sft")
    assert other.fill(values_of(saved)) == []
    assert other.values() == form.values()


def test_the_comment_at_the_top_describes_it(setups: Setups) -> None:
    assert setups.save("a", GOOD).description == "My first. For the office."


def test_a_taken_name_is_refused_unless_it_is_to_be_replaced(setups: Setups) -> None:
    setups.save("a", GOOD)
    with pytest.raises(LuthierError, match="already"):
        setups.save("a", "task: llm-generic\n")
    assert setups.save("a", "task: llm-generic\n", replace=True).task == "llm-generic"
    assert setups.free_name("a") == "a 2"
    assert setups.free_name("b/c") == "b-c"


@pytest.mark.parametrize("name", ["", " ", "a/b", "../a", ".last", "a\n", " a", "x" * 81, "\0"])
def test_names_that_will_not_do(setups: Setups, name: str) -> None:
    with pytest.raises(LuthierError, match="name"):
        setups.save(name, GOOD)
    assert setups.all() == []


def test_renaming_and_deleting(setups: Setups) -> None:
    setups.save("a", GOOD)
    setups.save("b", GOOD)
    with pytest.raises(LuthierError, match="already"):
        setups.rename("a", "b")
    setups.rename("a", "c")
    assert [each.name for each in setups.all()] == ["b", "c"]
    setups.delete("b")
    assert [each.name for each in setups.all()] == ["c"]
    with pytest.raises(LuthierError):
        setups.delete("b")
    with pytest.raises(LuthierError, match="no setup"):
        setups.rename("b", "d")
    with pytest.raises(LuthierError, match="no setup"):
        setups.get("b")


def test_the_last_used_comes_back(setups: Setups) -> None:
    last = LastUsed("llm-sft", {"name": "3e-5", "peft": {"r": 4}}, "llm-sft/balanced", "a", True)
    setups.remember(last)
    assert setups.last() == last
    assert setups.all() == []


@pytest.mark.parametrize("text", ["[", "- a", "nonsense: 1", "1"])
def test_a_damaged_last_used_is_told(setups: Setups, text: str) -> None:
    setups.remember(LastUsed("llm-sft"))
    (setups.folder / ".last.yaml").write_text(text)
    with pytest.raises(LuthierError, match="damaged"):
        setups.last()


def test_the_last_used_of_a_task_that_is_gone_is_nothing(setups: Setups) -> None:
    setups.remember(LastUsed("llm-something"))
    assert setups.last() is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD, []),
        ("task: llm-sft\n", []),
        ("task: llm-sft\nmodel:\npeft: {r: 4}\n", []),
        ("task: llm-sft\npeft:\n  r: 0\n", ["setup:3: peft.r must be greater than or equal to 1"]),
        ("task: llm-sft\npeft:\n  rank: 1\n", ["setup:3: unknown key peft.rank"]),
        ("task: llm-sft\nmodel: x\n", ["setup:2: model must be a section"]),
        (
            "task: llm-sft\nmodel:\n  load_in_4bit: true\npeft: {method: none}\n",
            ["setup:3: model.load_in_4bit: a quantised model cannot be trained whole"],
        ),
        ("peft: {r: 4}\n", ["setup: task is missing"]),
        ("task: llm-stf\n", ["setup:1: task: There is no task 'llm-stf'"]),
        ("task: [", ["setup:1: not valid YAML"]),
        ("- a", ["setup: a spec is a mapping"]),
        ("", ["setup: the spec is empty"]),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_what_is_open_is_not(
    text: str, expected: list[str]
) -> None:
    found = [str(problem) for problem in complaints(text)]
    assert len(found) == len(expected)
    assert all(one.startswith(start) for one, start in zip(found, expected, strict=True)), found


def test_a_setup_of_no_known_task_cannot_be_used(setups: Setups) -> None:
    setup = setups.save("a", "task: llm-stf\n")
    assert setup.task == ""
    with pytest.raises(LuthierError, match="llm-sft"):
        values_of(setup)
