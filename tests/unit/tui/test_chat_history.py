"""Earlier conversations on disk."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.agent.chat.conversation import Conversation, Turn
from luthier.agent.models import GenerateChunk
from luthier.agent.paths import Home
from luthier.trainers.errors import LuthierError
from luthier.tui.chatting.history import History, Kept


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(Home(tmp_path / "home"))


def kept(run: str = "r", *prompts: str) -> Kept:
    turns = [Turn(prompt, {"base": f"{prompt}!"}) for prompt in prompts]
    return Kept(run, conversation=Conversation("", turns))


def test_everything_of_a_turn_comes_back(history: History) -> None:
    figures = GenerateChunk(finish="stop", completion_tokens=3, tokens_per_second=1.5)
    turn = Turn("wie\nviel?", {"base": "", "r": "ü\x00\u2028 \\"}, "7", {"r": figures})
    said = Kept("r", conversation=Conversation("Be brief.", [turn]))
    history.keep(said)
    (found,) = history.all(["r"])
    assert found.conversation == said.conversation
    assert (found.id, found.run, found.written) == (said.id, "r", 1)


def test_going_on_adds_lines_and_says_which_was_last(history: History) -> None:
    first, second = kept("r", "one"), kept("r", "two")
    history.keep(first)
    history.keep(second)
    first.conversation.ask("three").answers["base"] = "3"
    history.keep(first)
    history.keep(first)
    assert [each.title for each in history.all(["r"])] == ["one", "two"]
    assert len((history.folder / "r.jsonl").read_text().splitlines()) == 3


def test_only_the_owner_may_read(history: History) -> None:
    history.keep(kept("r", "one"))
    assert (history.folder / "r.jsonl").stat().st_mode & 0o777 == 0o600
    assert history.folder.stat().st_mode & 0o777 == 0o700


def test_the_runs_of_a_chat_are_read_together_and_others_not(history: History) -> None:
    for run in ("a", "b", "c"):
        history.keep(kept(run, run))
    assert {each.title for each in history.all(["a", "b", "a"])} == {"a", "b"}
    assert history.all(["nobody"]) == []


def test_a_torn_line_costs_itself_only(history: History) -> None:
    history.keep(kept("r", "one"))
    path = history.folder / "r.jsonl"
    path.write_bytes(path.read_bytes() + b'{"conversation": "x", "t": 1, "sys')
    history.keep(kept("r", "two"))
    assert {each.title for each in history.all(["r"])} == {"one", "two"}


def test_one_conversation_can_be_removed(history: History) -> None:
    first, second = kept("r", "one", "more"), kept("r", "two")
    history.keep(first)
    history.keep(second)
    history.remove(first)
    assert [each.title for each in history.all(["r"])] == ["two"]
    assert "one" not in (history.folder / "r.jsonl").read_text()
    assert [path.name for path in history.folder.iterdir()] == ["r.jsonl"]


def test_a_disk_that_says_no_is_told(history: History) -> None:
    history.folder.parent.mkdir(parents=True)
    history.folder.touch()
    with pytest.raises(LuthierError, match=r"r\.jsonl: the conversation cannot be kept: "):
        history.keep(kept("r", "one"))


steps = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.text()),
        st.tuples(st.just("change"), st.text()),
        st.tuples(st.just("keep"), st.just("")),
    )
)


@given(steps)
def test_what_is_kept_last_is_what_comes_back(steps: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        history, said = History(Home(Path(folder))), Kept("r")
        turns = said.conversation.turns
        for step, text in steps:
            if step == "ask":
                said.conversation.ask(text)
            elif step == "change" and turns:
                said.changed_from(len(turns) - 1)
                turns[-1].prompt = text
            elif step == "keep":
                history.keep(said)
        history.keep(said)
        found = history.all(["r"])
        assert [each.conversation.turns for each in found] == ([turns] if turns else [])
