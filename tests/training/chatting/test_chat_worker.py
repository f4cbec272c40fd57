"""One worker with two adapters, spoken to over its protocol."""

from __future__ import annotations

from typing import Any

import pytest

from luthier.trainers.chat.protocol import (
    Answer,
    Batch,
    Failed,
    Finished,
    Generate,
    Token,
)
from luthier.trainers.chat.sampling import Choice, choose
from luthier.trainers.serving.messages import Cancel

from .support import CONTEXT, GREEDY, QUESTION, Assets, Talk, reference

pytestmark = pytest.mark.training


@pytest.mark.parametrize("voice", ["base", "one", "two"])
def test_streamed_text_is_what_the_libraries_write_at_once(
    talk: Talk, assets: Assets, voice: str
) -> None:
    text, figures = talk.text(voice, GREEDY)
    assert text == reference(assets, voice, 60)
    assert figures.finish in ("length", "stop")
    assert figures.first_token_seconds is not None
    assert figures.first_token_seconds > 0
    assert figures.tokens_per_second


def test_base_voice_is_the_bare_model_and_adapters_are_not(talk: Talk) -> None:
    bare = talk.bare
    texts = {voice: talk.text(voice, GREEDY)[0] for voice in ("one", "base", "two", "base")}
    assert texts["base"] == bare
    assert len(set(texts.values())) == 3


def test_switching_voices_costs_no_memory(talk: Talk) -> None:
    talk.text("one", GREEDY)
    before = talk.memory()
    for voice in ("two", "base", "one") * 3:
        talk.text(voice, choose("deterministic", max_new_tokens=5))
    assert talk.memory() - before < 20 * 1024**2
    assert talk.process.poll() is None


def test_batch_answers_are_the_single_ones_in_order(talk: Talk) -> None:
    questions = ["a", "a much longer question than the others", "bc", "äöü"] * 10
    conversations = [[{"role": "user", "content": question}] for question in questions]
    *answers, figures = talk.ask(Batch, voice="one", conversations=conversations, choice=GREEDY)
    assert isinstance(figures, Finished)
    assert sorted(answer.index for answer in answers) == list(range(40))
    by_index = {answer.index: answer.text for answer in answers if isinstance(answer, Answer)}
    for index in range(4):
        single, _ = talk.text("one", GREEDY, conversations[index])
        assert by_index[index] == single
        assert by_index[index + 4] == single


def test_seed_repeats_a_draw_and_another_seed_does_not(talk: Talk) -> None:
    first, again, other = (
        talk.text("one", choose("creative", seed=seed, max_new_tokens=40))[0] for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_hot_sampling_ends_at_an_end_token(talk: Talk) -> None:
    choice = choose("creative", temperature=5.0, top_p=1.0, seed=3, max_new_tokens=1900)
    text, figures = talk.text("base", choice)
    assert figures.finish == "stop"
    assert figures.completion_tokens < 1900
    assert "</s>" not in text
    assert "<|end|>" not in text


def test_stop_text_ends_the_answer_before_it(talk: Talk) -> None:
    whole, _ = talk.text("one", GREEDY)
    stop = whole[10:13]
    text, figures = talk.text("one", GREEDY.model_copy(update={"stop": [stop]}))
    assert text == whole[: whole.index(stop)]
    assert figures.finish == "stop"


def test_length_limits_are_kept(talk: Talk) -> None:
    _, figures = talk.text("base", choose("deterministic", max_new_tokens=3))
    assert (figures.finish, figures.completion_tokens) == ("length", 3)
    long = [{"role": "user", "content": "x" * (CONTEXT - 20)}]
    _, figures = talk.text("base", choose("deterministic", max_new_tokens=500), long)
    assert figures.finish == "length"
    assert figures.prompt_tokens + figures.completion_tokens == CONTEXT


def test_refusals_are_sentences_and_the_worker_lives_on(talk: Talk) -> None:
    long = [{"role": "user", "content": "x" * 5000}]
    cases: list[tuple[dict[str, Any], str]] = [
        ({"voice": "one", "messages": long}, "The conversation has 5003 tokens, and the model"),
        ({"voice": "nobody", "messages": QUESTION}, "There is no voice 'nobody' here"),
        # Breaks inside the library's generation, not in a check of ours.
        (
            {"voice": "one", "messages": QUESTION, "choice": Choice(repetition_penalty=-1.0)},
            "ValueError: ",
        ),
    ]
    for fields, start in cases:
        (failed,) = talk.ask(Generate, **{"choice": GREEDY, **fields})
        assert isinstance(failed, Failed)
        assert failed.message.startswith(start)
        assert "\n" not in failed.message
    assert talk.text("base", GREEDY)[0] == talk.bare


def test_cancel_ends_a_generation_after_the_token_in_the_making(talk: Talk) -> None:
    number = talk.say(
        Generate,
        voice="one",
        messages=QUESTION,
        choice=choose("deterministic", max_new_tokens=1900),
    )
    while not isinstance(talk.hear(), Token):
        pass
    talk.say(Cancel, id=number)
    figures = talk.hear_to_end(number)[-1]
    assert figures.finish == "cancelled"
    assert 0 < figures.completion_tokens < 1000


def test_cancel_reaches_a_waiting_generation_and_a_batch(talk: Talk) -> None:
    slow = choose("deterministic", max_new_tokens=1900)
    first = talk.say(Generate, voice="one", messages=QUESTION, choice=slow)
    second = talk.say(Generate, voice="two", messages=QUESTION, choice=slow)
    third = talk.say(Batch, voice="two", conversations=[QUESTION] * 9, choice=slow)
    for number in (second, third, first):
        talk.say(Cancel, id=number)
    finished = [talk.hear_to_end(number)[-1] for number in (first, second, third)]
    assert [figures.finish for figures in finished] == ["cancelled"] * 3
    assert finished[1].completion_tokens == 0
