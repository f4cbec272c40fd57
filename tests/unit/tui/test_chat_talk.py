"""Who speaks in a chat, what is asked, and prompts of the data."""

from __future__ import annotations

import json
from typing import Any

import pytest

from luthier.agent.chat.conversation import BASE, GIVEN, figures
from luthier.agent.models import Chat, GenerateChunk
from luthier.trainers.errors import LuthierError
from luthier.tui.chatting.samples import Sample, samples_of
from luthier.tui.chatting.talk import Talk, names_of
from luthier.tui.chatting.writing import Writing


def talk(*voices: str, runs: tuple[str, ...] = ("a", "b")) -> Talk:
    found = Talk(runs)
    found.loaded(Chat(id="c", model="m", voices=list(voices), state="ready"))
    return found


def say(talk: Talk, text: str, voice: str = "b", **last: Any) -> None:
    writing = Writing(voice)
    writing.add(GenerateChunk(text=text))
    writing.add(GenerateChunk(**{"finish": "stop", **last}))
    talk.answered(writing)


def asked(talk: Talk, voice: str = "b") -> list[str]:
    return [each.content for each in talk.request(voice).messages]


def test_the_last_adapter_answers_and_other_peoples_do_not_count() -> None:
    found = talk(BASE, "a", "b", "somebody")
    assert found.speaking == ["b"]
    assert found.voices == [BASE, "a", "b"]


def test_a_model_without_adapters_answers_itself() -> None:
    found = talk("a", runs=("a",))
    assert found.speaking == ["a"]
    assert not found.may_compare
    found.toggle_base()
    assert found.speaking == ["a"]


def test_who_speaks_stays_when_the_model_is_loaded_again() -> None:
    found = talk(BASE, "a", "b")
    found.toggle_base()
    found.next_voice()
    found.loaded(Chat(id="d", model="m", voices=[BASE, "a", "b"], state="ready"))
    assert found.speaking == [BASE, "a"]
    found.loaded(Chat(id="d", model="m", voices=["b"], state="ready"))
    assert found.speaking == ["b"]


def test_the_next_voice_goes_round() -> None:
    found = talk(BASE, "a", "b")
    seen = []
    for _ in range(4):
        found.next_voice()
        seen += found.speaking
    assert seen == [BASE, "a", "b", BASE]


def test_beside_the_base_model_only_adapters_take_turns() -> None:
    found = talk(BASE, "a", "b")
    found.toggle_base()
    assert found.speaking == [BASE, "b"]
    found.next_voice()
    assert found.speaking == [BASE, "a"]
    found.toggle_base()
    assert found.speaking == ["a"]


def test_everybody_speaks_until_asked_again() -> None:
    found = talk(BASE, "a", "b")
    found.toggle_all()
    assert found.speaking == [BASE, "a", "b"]
    found.toggle_all()
    assert found.speaking == ["b"]
    found.toggle_all()
    found.next_voice()
    assert found.speaking == [BASE, "a"]


def test_each_voice_goes_on_with_its_own_answers() -> None:
    found = talk(BASE, "b")
    found.ask("one")
    say(found, "B", "b")
    say(found, "base", BASE)
    found.ask("two")
    assert asked(found, "b") == ["one", "B", "two"]
    assert asked(found, BASE) == ["one", "base", "two"]


def test_a_question_that_failed_is_not_asked_again_with_the_next() -> None:
    found = talk("b")
    found.ask("one")
    failed = Writing("b")
    failed.fail("no memory")
    found.answered(failed)
    assert found.last is not None
    assert found.last.answers == {}
    assert found.last.figures["b"].error == "no memory"
    found.ask("two")
    assert asked(found) == ["two"]


@pytest.mark.parametrize(
    ("text", "finish", "counts"),
    [
        ("part", "cancelled", True),
        ("", "cancelled", False),
        ("", "stop", True),
        ("p", "error", True),
    ],
)
def test_what_counts_as_an_answer(text: str, finish: str, counts: bool) -> None:
    found = talk("b")
    found.ask("one")
    say(found, text, finish=finish)
    assert found.last is not None
    assert ("b" in found.last.answers) is counts


def test_asking_again_and_changing_are_kept_anew() -> None:
    found = talk("b")
    for prompt in ("one", "two"):
        found.ask(prompt)
        say(found, "x")
    found.kept.written = 2
    turn = found.ask_again()
    assert turn is found.last
    assert turn is not None
    assert (turn.answers, turn.figures, found.kept.written) == ({}, {}, 1)
    found.change("three")
    assert asked(found) == ["one", "x", "three"]


def test_nothing_can_be_asked_again_before_the_first_question() -> None:
    found = talk("b")
    assert found.ask_again() is None
    assert found.change("x") is None
    found.begin()
    assert found.last is None


def test_a_sample_is_a_conversation_of_its_own() -> None:
    found = talk("b")
    found.conversation.system = "mine"
    found.ask("other")
    before = found.kept
    sample = Sample("q", (("user", "u"), ("assistant", "a")), "e")
    turn = found.ask_sample(sample)
    assert (turn.prompt, turn.expected) == ("q", "e")
    assert asked(found) == ["mine", "u", "a", "q"]
    assert found.kept is not before
    assert found.kept.id != before.id
    assert found.kept.title == "q"
    assert found.conversation.voices() == []


def test_what_the_data_answers_cannot_be_asked_again() -> None:
    found = talk("b")
    found.ask_sample(Sample("q", (("user", "u"), ("assistant", "a")), "e"))
    found.conversation.undo()
    assert found.last is not None
    assert found.last.answers == {GIVEN: "a"}
    assert found.ask_again() is None
    assert found.change("other") is None


def test_the_system_prompt_of_the_data_wins() -> None:
    sample = Sample("q", (("system", "theirs"),), "e")
    assert sample.conversation("mine").system == "theirs"


def test_prompts_come_from_a_report() -> None:
    split = {"name": "t", "rows": 1, "used": 1}
    messages = [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}]
    prompts = [{"prompt": "q", "messages": messages, "expected": "e"}]
    report = {"source": "d", "fingerprint": "f", "format": "chat", "parts": {}, "columns": []}
    text = json.dumps({**report, "train": split, "sample_prompts": prompts}).encode()
    assert samples_of(text, "x") == [Sample("q", (("system", "s"),), "e")]
    with pytest.raises(LuthierError, match=r"^run r: is damaged"):
        samples_of(text[:-2], "run r")


def test_writing_says_what_it_waits_for() -> None:
    writing = Writing("b")
    assert writing.in_words == "waiting for the first word, 0 s"
    writing.add(GenerateChunk(text="a"))
    assert writing.in_words == "writing; escape stops it"
    writing.stop()
    assert writing.in_words == "stopping"
    writing.add(GenerateChunk(text="b", finish="cancelled"))
    assert (writing.text, writing.last and writing.last.finish) == ("ab", "cancelled")


def test_figures_in_words() -> None:
    last = GenerateChunk(finish="length", completion_tokens=1)
    assert figures(last) == "1 token, cut at max_new_tokens"
    slow = {"tokens_per_second": 12.3, "first_token_seconds": 1.25}
    quick = {"tokens_per_second": 200.0, "first_token_seconds": 0.0304}
    last = GenerateChunk(finish="stop", completion_tokens=20, **slow)
    assert figures(last) == "20 tokens, 12 tokens/s, first after 1.2 s"
    last = GenerateChunk(finish="cancelled", completion_tokens=20, **quick)
    assert figures(last) == "20 tokens, 200 tokens/s, first after 30 ms, stopped"


def test_voices_in_words() -> None:
    assert names_of([BASE, "a"], {"a": "violin"}) == "base and violin"
    assert names_of([], {}) == "nobody"
