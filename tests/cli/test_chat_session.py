"""What typed lines do to a chat."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.agent.chat.conversation import Conversation, run_names
from luthier.agent.cli.chatting.commands import COMMANDS, Command, help_lines, read_line
from luthier.agent.cli.chatting.session import Session
from luthier.agent.models import Chat, ChatMessage, GenerateChunk, RunDetail, Sampling
from luthier.agent.states import RunState
from luthier.trainers.errors import LuthierError


class Paper:
    """A face that writes down what it is told; the person always retypes "changed"."""

    def __init__(self) -> None:
        self.remarks: list[str] = []

    def answers(
        self, voices: Sequence[str], stream: Callable[[str], Iterator[GenerateChunk]]
    ) -> dict[str, str]:
        return {voice: "".join(chunk.text for chunk in stream(voice)) for voice in voices}

    def say(self, text: str) -> None:
        self.remarks.append(text)

    def retype(self, text: str) -> str:
        return f"{text} changed"


Asked = tuple[str, list[str], Sampling]


@pytest.fixture
def paper() -> Paper:
    return Paper()


@pytest.fixture
def asked() -> list[Asked]:
    return []


@pytest.fixture
def session(paper: Paper, asked: list[Asked]) -> Session:
    def generate(
        voice: str, messages: list[ChatMessage], sampling: Sampling
    ) -> Iterator[GenerateChunk]:
        asked.append((voice, [f"{each.role}: {each.content}" for each in messages], sampling))
        yield GenerateChunk(text=f"{voice} says ")
        yield GenerateChunk(text=str(len(asked)), finish="stop")

    prompts = [ChatMessage(role="user", content="first"), ChatMessage(role="user", content="next")]
    chat = Chat(
        id="c", model="m", voices=["base", "run-a", "run-b"], state="ready", sample_prompts=prompts
    )
    return Session(chat, generate, paper, {"run-a": "old", "run-b": "new"})


def test_the_newest_adapter_answers_first(session: Session, asked: list[Asked]) -> None:
    session.line("hello")
    assert asked[0][:2] == ("run-b", ["user: hello"])


def test_a_model_alone_answers_itself(paper: Paper) -> None:
    chat = Chat(id="c", model="m", voices=["base"], state="ready")
    assert Session(chat, lambda *_: iter(()), paper, {}).speaking == ["base"]


def test_each_voice_goes_on_with_its_own_answers(session: Session, asked: list[Asked]) -> None:
    session.line("/both")
    session.line("one")
    session.line("two")
    assert asked[2][:2] == ("base", ["user: one", "assistant: base says 1", "user: two"])
    assert asked[3][:2] == ("run-b", ["user: one", "assistant: run-b says 2", "user: two"])


def test_a_voice_that_was_not_asked_takes_over_the_others_answer(
    session: Session, asked: list[Asked]
) -> None:
    session.line("one")
    session.line("/base")
    session.line("two")
    assert asked[1][:2] == ("base", ["user: one", "assistant: run-b says 1", "user: two"])


def test_switch_goes_round_all_voices(session: Session) -> None:
    seen = []
    for _ in range(4):
        session.line("/switch")
        seen += session.speaking
    assert seen == ["base", "run-a", "run-b", "base"]


@pytest.mark.parametrize("name", ["run-a", "old"])
def test_an_adapter_is_chosen_by_id_or_name(session: Session, name: str) -> None:
    session.line(f"/adapter {name}")
    assert session.speaking == ["run-a"]


def test_both_keeps_the_adapter_that_spoke(session: Session) -> None:
    session.line("/adapter old")
    session.line("/both")
    assert session.speaking == ["base", "run-a"]


def test_the_system_prompt_stands_first_until_it_is_removed(
    session: Session, asked: list[Asked]
) -> None:
    session.line("/system Be brief.")
    session.line("hello")
    session.line("/system")
    session.line("again")
    assert asked[0][1][0] == "system: Be brief."
    assert asked[1][1][0] == "user: hello"


def test_sampling_values_reach_the_model(session: Session, asked: list[Asked]) -> None:
    session.line("/preset creative")
    session.line("/set temperature 0.7")
    session.line("/set max_new_tokens=9")
    session.line("hello")
    sampling = asked[0][2]
    assert (sampling.setting, sampling.temperature, sampling.max_new_tokens) == ("creative", 0.7, 9)


def test_a_preset_undoes_single_values_but_not_the_length(session: Session) -> None:
    session.line("/set temperature 0.7")
    session.line("/set max_new_tokens 9")
    session.line("/preset deterministic")
    assert session.sampling == Sampling(setting="deterministic", max_new_tokens=9)


def test_regenerate_asks_the_same_again(session: Session, asked: list[Asked]) -> None:
    session.line("one")
    session.line("two")
    session.line("/regenerate")
    assert asked[2][1] == asked[1][1]
    assert session.conversation.turns[-1].answers == {"run-b": "run-b says 3"}


def test_edit_replaces_the_last_question(session: Session, asked: list[Asked]) -> None:
    session.line("one")
    session.line("/edit other")
    assert asked[1][1] == ["user: other"]
    session.line("/edit")
    assert asked[2][1] == ["user: other changed"]


def test_undo_and_clear_take_turns_back(session: Session) -> None:
    session.line("one")
    session.line("two")
    session.line("/undo")
    assert [turn.prompt for turn in session.conversation.turns] == ["one"]
    session.line("/clear")
    assert session.conversation.turns == []


def test_samples_are_listed_and_asked(session: Session, paper: Paper, asked: list[Asked]) -> None:
    session.line("/samples")
    assert paper.remarks == ["1  first", "2  next"]
    session.line("/samples 2")
    assert asked[0][1] == ["user: next"]


def test_a_question_that_found_no_answer_is_forgotten(paper: Paper) -> None:
    def generate(*_: object) -> Iterator[GenerateChunk]:
        raise LuthierError("The model could not answer.")

    chat = Chat(id="c", model="m", voices=["base"], state="ready")
    session = Session(chat, generate, paper, {})
    with pytest.raises(LuthierError):
        session.line("hello")
    assert session.conversation.turns == []


def test_quit_ends_and_everything_else_goes_on(session: Session) -> None:
    assert session.line("")
    assert session.line("hello")
    assert not session.line("/quit")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("/bsae", "There is no command /bsae. Did you mean /base?"),
        ("/xyzzy", "There is no command /xyzzy. See /help."),
        ("/set heat 3", "/set heat: choose one of temperature, top_p, top_k, repetition_penalty, "
         "max_new_tokens, seed."),
        ("/set temperature 9", "/set temperature 9: input should be less than or equal to 5."),
        ("/set top_k many", "/set top_k many: input should be a valid integer, unable to parse "
         "string as an integer."),
        ("/preset wild", "/preset wild: choose deterministic, balanced or creative."),
        ("/samples 3", "/samples 3: choose a number from 1 to 2."),
        ("/samples x", "/samples x: choose a number from 1 to 2."),
        ("/adapter other", "No one adapter is called 'other'; loaded are old, new."),
        ("/adapter run-", "No one adapter is called 'run-'; loaded are old, new."),
        ("/regenerate", "Nothing was asked yet."),
        ("/undo", "Nothing was asked yet."),
        ("/export", "/export needs a file that ends in .md or .jsonl."),
        ("/export chat.txt", "chat.txt: a transcript ends in .md or .jsonl."),
        ("/export no/such/chat.md", "no/such/chat.md: No such file or directory."),
    ],
)  # fmt: skip
def test_a_wrong_line_is_told_in_one_sentence(session: Session, line: str, sentence: str) -> None:
    with pytest.raises(LuthierError) as caught:
        session.line(line)
    assert str(caught.value) == sentence


def test_every_command_is_in_help_and_does_something(session: Session) -> None:
    shown = "\n".join(help_lines())
    for name in COMMANDS:
        assert f"/{name}" in shown
        assert name == "quit" or callable(getattr(session, f"_{name}"))


def test_a_transcript_for_people_has_everybody(session: Session, tmp_path: Path) -> None:
    session.line("/system Be brief.")
    session.line("/both")
    session.line("hello")
    session.line(f"/export {tmp_path / 'chat.md'}")
    text = (tmp_path / "chat.md").read_text()
    parts = ["Be brief.", "**You**", "hello", "**base**", "base says 1", "**new**", "run-b says 2"]
    positions = [text.index(part) for part in parts]
    assert positions == sorted(positions)


def test_a_transcript_for_programs_is_training_data(session: Session, tmp_path: Path) -> None:
    session.line("/both")
    session.line("hello")
    session.line(f"/export {tmp_path / 'chat.jsonl'}")
    rows = [json.loads(line) for line in (tmp_path / "chat.jsonl").read_text().splitlines()]
    question = {"role": "user", "content": "hello"}
    assert rows == [
        {"messages": [question, {"role": "assistant", "content": "base says 1"}], "voice": "base"},
        {"messages": [question, {"role": "assistant", "content": "run-b says 2"}], "voice": "new"},
    ]


@given(st.text())
def test_any_line_is_a_command_a_text_or_a_refusal(line: str) -> None:
    try:
        read = read_line(line)
    except LuthierError:
        assert line.strip().startswith("/")
        return
    if isinstance(read, Command):
        assert read.name in COMMANDS
    else:
        assert read in line


def test_two_slashes_say_a_text_with_one() -> None:
    assert read_line("//etc/passwd") == "/etc/passwd"


voices = st.sampled_from(["base", "run-a", "run-b"])


@given(st.lists(st.lists(voices, max_size=3)), voices, st.booleans())
def test_roles_always_take_turns(turns: list[list[str]], voice: str, system: bool) -> None:
    conversation = Conversation("system" if system else "")
    for speakers in turns:
        turn = conversation.ask("question")
        turn.answers.update(dict.fromkeys(speakers, "answer"))
    roles = [message.role for message in conversation.messages(voice)]
    if system:
        assert roles.pop(0) == "system"
    assert roles[-1:] == (["user"] if turns else [])
    assert "assistant" not in roles[:1]
    assert all(first != second for first, second in pairwise(roles))


def test_runs_of_one_name_are_called_by_their_ids() -> None:
    def run(run_id: str, name: str) -> RunDetail:
        return RunDetail(
            id=run_id, name=name, task="llm-sft", model="m", host="local",
            state=RunState.SUCCEEDED, created_at=0, folder="f", spec={},
        )  # fmt: skip

    found = run_names([run("a", "same"), run("b", "same"), run("c", "other")])
    assert found == {"a": "a", "b": "b", "c": "other"}
