"""What the text tasks can learn, and that every way of training them works."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from luthier.trainers.events import (
    DoneEvent,
    ErrorEvent,
    ReportEvent,
    SampleEvent,
    WarningEvent,
)
from luthier.trainers.registry import find_task
from luthier.trainers.text.spans import Piece, best_span, cut, exact_match, f1, positions
from luthier.trainers.tiny.text import encoder, encoder_decoder
from luthier.trainers.tiny.tokens import word_tokenizer

_QUICK = {
    "training.learning_rate": 0.003,
    "training.num_train_epochs": 2,
    "training.logging_steps": 1000,
}


def _data(folder: Path, rows: list[dict[str, Any]]) -> Path:
    folder.mkdir(exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "train.jsonl").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def go(workshop: Any, tmp_path: Path) -> Any:
    """Trains a task on rows with a tiny model made for them; returns the outcome."""

    def train(task: str, rows: list[dict[str, Any]], code: int = 0, **changes: Any) -> Any:
        data = _data(tmp_path / "rows", rows)
        model = tmp_path / f"model-{task}"
        if not model.exists():
            (encoder_decoder if task == "seq2seq" else encoder)(model, data)
            _without_dropout(model)
        return workshop.train(task, model, data, {**_QUICK, **changes}, code)

    return train


def _without_dropout(model: Path) -> None:
    """So that what is computed twice is the same."""
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    for name in ("hidden_dropout_prob", "attention_probs_dropout_prob", "dropout_rate"):
        if name in config:
            config[name] = 0.0
    (model / "config.json").write_text(json.dumps(config), encoding="utf-8")


def _figures(outcome: Any) -> dict[str, float]:
    figures: dict[str, float] = outcome.of(DoneEvent)[0].metrics
    return figures


_TOPICS = {"sea": ["ship", "wave", "sail", "port"], "sky": ["cloud", "wing", "kite", "moon"]}


def _topics(count: int, seed: int = 0) -> list[dict[str, Any]]:
    chance = random.Random(seed)
    rows = []
    for number in range(count):
        topic = chance.choice(list(_TOPICS))
        words = chance.choices(_TOPICS[topic], k=3)
        rows.append({"text": " ".join([*words, str(number)]), "label": topic})
    return rows


def test_weighted_rows_count_as_often_as_they_weigh(go: Any) -> None:
    # A row of weight 3 teaches what three equal rows teach.
    weighed = [{**row, "weight": 3.0 if n % 4 == 0 else 1.0} for n, row in enumerate(_topics(16))]
    repeated = [row for row in weighed for _ in range(int(row["weight"]))]
    settings = {
        "data.validation_fraction": 0,
        "evaluation.strategy": "no",
        "training.max_steps": 1,
        "training.optim": "sgd",
        "training.max_grad_norm": 0,
        "training.per_device_train_batch_size": 64,
    }
    losses = []
    for rows, more in ((weighed, {"data.weight_column": "weight"}), (repeated, {})):
        outcome = go("text-classification", rows, **settings, **more)
        losses.append(_figures(outcome)["train_loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_a_step_is_the_same_in_pieces(go: Any) -> None:
    rows = [{**row, "weight": 1.0 + n % 3} for n, row in enumerate(_topics(32))]
    settings = {
        "data.validation_fraction": 0,
        "data.weight_column": "weight",
        "evaluation.strategy": "no",
        "training.max_steps": 1,
        "training.class_weights": "balanced",
        "training.optim": "sgd",
    }
    losses, weights = [], []
    for size, pieces in ((16, 1), (4, 4)):
        batch = {
            "training.per_device_train_batch_size": size,
            "training.gradient_accumulation_steps": pieces,
        }
        outcome = go("text-classification", rows, **settings, **batch)
        losses.append(_figures(outcome)["train_loss"])
        weights.append(load_file(outcome.run.model / "model.safetensors"))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    for name, value in weights[0].items():
        assert np.allclose(value, weights[1][name], atol=1e-6), name


def test_a_sample_s_tokenizer_is_the_same_each_time(tmp_path: Path) -> None:
    tokenizer = word_tokenizer(_data(tmp_path, [{"text": "Be a bee"}, {"text": "a bee, ab"}]))
    tokens = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().get)
    characters = [",", "a", "b", "e"]
    assert tokens[5:] == [*characters, *(f"##{c}" for c in characters), "bee", "ab", "be"]


def test_labels_of_any_number(go: Any) -> None:
    chance = random.Random(1)
    rows = []
    for number in range(80):
        chosen = [topic for topic in _TOPICS if chance.random() < 0.5]
        words = [word for topic in chosen for word in chance.choices(_TOPICS[topic], k=2)]
        rows.append({"text": " ".join([*words, "end", str(number)]), "labels": chosen or ["none"]})
    done = go("text-classification", rows, **{"training.num_train_epochs": 16})
    assert _figures(done)["eval_f1_micro"] > 0.8
    assert {event.name for event in done.of(ReportEvent)} == {"per_class", "worst"}
    predictor = find_task("text-classification").imported("predict")(done.run, "cpu")
    (answer,) = predictor.predict([{"text": "ship wave cloud kite end"}])
    assert answer["label"] == ["sea", "sky"]


def test_several_targets(go: Any) -> None:
    rows = [
        {"text": "ship " * (n % 4) + "end", "ships": n % 4, "negative": -(n % 4) * 100.0}
        for n in range(240)
    ]
    rows = [{**row, "text": f"{row['text']} {n}"} for n, row in enumerate(rows)]
    done = go(
        "text-regression",
        rows,
        **{
            "training.num_train_epochs": 8,
            "training.learning_rate": 0.001,
            "data.column_mapping": {"target": "ships, negative"},
        },
    )
    assert _figures(done)["eval_r2"] > 0.8
    predictor = find_task("text-regression").imported("predict")(done.run, "cpu")
    (answer,) = predictor.predict([{"text": "ship ship ship end"}])
    assert answer["ships"] == pytest.approx(3, abs=0.7)
    assert answer["negative"] == pytest.approx(-300, abs=70)


def test_wrong_class_weights_are_refused(go: Any) -> None:
    failed = go(
        "text-classification", _topics(20), code=2, **{"training.class_weights": {"see": 2.0}}
    )
    (error,) = failed.of(ErrorEvent)
    assert "training.class_weights: there is no class 'see'; there are sea, sky" in error.message


def test_a_question_without_room_is_refused(go: Any) -> None:
    rows = [{"question": "ship " * 60 + "?", "context": f"a {n}", "answers": "a"} for n in range(9)]
    settings = {"training.max_length": 32, "training.doc_stride": 8}
    failed = go("extractive-question-answering", rows, code=2, **settings)
    (error,) = failed.of(ErrorEvent)
    assert "leaves no room for a context" in error.message


class TestSpans:
    """Answers in long contexts."""

    def test_pieces_hold_the_answer_once_cut(self, tmp_path: Path) -> None:
        words = [f"word{n}" for n in range(60)]
        context = " ".join(words)
        tokenizer = word_tokenizer(_data(tmp_path, [{"text": context}]), 900)
        columns, pieces = cut(tokenizer, ["word1?"], [context], 24, 8)
        assert len(pieces) > 2
        assert all(len(ids) <= 24 for ids in columns["input_ids"])
        start = context.index("word41")
        marked = [positions(piece, start, start + len("word41"), 0) for piece in pieces]
        holding = [n for n, place in enumerate(marked) if place != (0, 0)]
        assert holding
        for number in holding:
            first, last = marked[number]
            begin, end = pieces[number].places[first], pieces[number].places[last]
            assert begin
            assert end
            assert context[begin[0] : end[1]] == "word41"

    def test_the_best_span_is_legal(self) -> None:
        piece = Piece(0, [None, (0, 3), (4, 7), (8, 11)])
        start = np.array([0.0, 1.0, 5.0, 0.0])
        end = np.array([0.0, 9.0, 2.0, 4.0])
        # The highest end comes before the highest start.
        found = best_span([piece], [start], [end], 30, [0])
        assert found is not None
        assert (found.start, found.end) == (0, 3)
        only_long = best_span([piece], [start], [np.array([0.0, -9, -9, 4.0])], 1, [0])
        assert only_long is not None
        assert (only_long.start, only_long.end) == (8, 11)

    def test_scores_are_squads(self) -> None:
        assert exact_match("The Oslo!", ["oslo"]) == 1
        assert exact_match("", []) == 1
        assert f1("in Oslo", ["Oslo", "Rome"]) == pytest.approx(2 / 3)
        assert f1("Rome", []) == 0


@pytest.mark.slow
def test_entities_are_found(go: Any) -> None:
    rows = [
        json.loads(line)
        for line in (find_task("token-classification").sample / "train.jsonl").open()
    ]
    done = go("token-classification", rows, **{"training.num_train_epochs": 6})
    assert _figures(done)["eval_f1"] >= 0.9


def test_a_cut_target_is_told(go: Any) -> None:
    rows = [{"text": f"a b {n}", "target": "a " * (3 if n % 5 else 30)} for n in range(20)]
    done = go("seq2seq", rows, **{"training.max_steps": 1, "training.max_target_length": 12})
    (told,) = [event for event in done.of(WarningEvent) if "max_target_length" in event.message]
    assert "longer than 12 tokens and will be cut" in told.message


@pytest.mark.slow
def test_texts_are_turned_round(go: Any) -> None:
    chance = random.Random(0)
    letters = ["a", "b", "c", "d", "e", "f", "g", "h"]
    rows = []
    for _ in range(1500):
        words = chance.choices(letters, k=chance.randint(2, 4))
        rows.append({"text": " ".join(words), "target": " ".join(reversed(words))})
    done = go(
        "seq2seq",
        rows,
        **{
            "training.max_steps": 600,
            "training.per_device_train_batch_size": 64,
            "training.learning_rate": 0.002,
            "training.max_length": 12,
            "training.max_target_length": 12,
            "evaluation.strategy": "steps",
            "evaluation.steps": 300,
            "evaluation.per_device_eval_batch_size": 64,
            "data.validation_fraction": 0.1,
        },
    )
    assert _figures(done)["eval_exact_match"] >= 90
    assert len(done.of(SampleEvent)) >= 3
