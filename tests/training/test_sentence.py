"""What sentence transformers can learn, and that every way of training them works."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from luthier.trainers.events import DoneEvent, ErrorEvent, ReportEvent, WarningEvent
from luthier.trainers.registry import find_task
from luthier.trainers.run_folder import RunFolder

_LORA = {"peft.method": "lora", "peft.r": 4, "training.learning_rate": 0.01}


@pytest.fixture(scope="module")
def embedders(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The tiny model of a task, built once, without dropout."""
    folder = tmp_path_factory.mktemp("embedders")

    def build(name: str) -> Path:
        target, task = folder / name, find_task(name)
        if not target.exists():
            task.imported("tiny")(target, task.sample)
            config = json.loads((target / "config.json").read_text(encoding="utf-8"))
            config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
            (target / "config.json").write_text(json.dumps(config), encoding="utf-8")
        return target

    return build


@pytest.fixture
def go(workshop: Any, embedders: Any) -> Any:
    """Trains a task on its sample, or on rows; returns the outcome."""

    def train(task: str, code: int = 0, rows: Any = None, **changes: Any) -> Any:
        data = workshop.data(rows) if rows else find_task(task).sample
        quick = {
            "training.learning_rate": 0.001,
            "training.max_steps": 4,
            "training.per_device_train_batch_size": 16,
            "training.logging_steps": 1000,
        }
        return workshop.train(task, embedders(task), data, {**quick, **changes}, code)

    return train


def _figures(outcome: Any) -> dict[str, float]:
    figures: dict[str, float] = outcome.of(DoneEvent)[0].metrics
    return figures


def _reports(outcome: Any) -> dict[str, ReportEvent]:
    return {event.name: event for event in outcome.of(ReportEvent)}


def _predictor(run: RunFolder, task: str) -> Any:
    return find_task(task).imported("predict")(run, "cpu")


_ONE_STEP = {
    "data.validation_fraction": 0,
    "evaluation.strategy": "no",
    "training.max_steps": 1,
    "training.optim": "sgd",
    "training.learning_rate": 0.1,
    "training.max_grad_norm": 0,
    "training.per_device_train_batch_size": 64,
}


@pytest.mark.parametrize(
    ("task", "changes"),
    [
        ("st-pair-class", {"training.class_weights": "none"}),
        ("st-pair-class", {"training.loss": "contrastive"}),
        ("st-pair-score", {"training.loss": "cosine-similarity"}),
        (
            "st-triplet",
            {
                "training.loss": "triplet",
                "training.margin": 1.5,
                "training.matryoshka_dims": [8],
                "training.distinct_batches": False,
            },
        ),
    ],
)
def test_rows_count_as_often_as_they_weigh(go: Any, task: str, changes: Any) -> None:
    lines = (find_task(task).sample / "train.jsonl").read_text(encoding="utf-8").splitlines()
    weighed = [{**json.loads(line), "weight": n % 3} for n, line in enumerate(lines[:18])]
    repeated = [row for row in weighed for _ in range(row["weight"])]
    first = go(task, rows=weighed, **_ONE_STEP, **changes, **{"data.weight_column": "weight"})
    second = go(task, rows=repeated, **_ONE_STEP, **changes)
    plain = go(task, rows=weighed, **_ONE_STEP, **changes)
    losses = [_figures(outcome)["train_loss"] for outcome in (first, second, plain)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert losses[0] != pytest.approx(losses[2], rel=1e-4)
    weights = [load_file(o.run.model / "model.safetensors") for o in (first, second)]
    for name, values in weights[0].items():
        assert values == pytest.approx(weights[1][name], rel=1e-3, abs=1e-6)


class TestFigures:
    """The figures are those of the library's evaluators."""

    @pytest.fixture(scope="class")
    def model(self, embedders: Any) -> Any:
        from sentence_transformers import SentenceTransformer

        return SentenceTransformer(str(embedders("st-qa")), device="cpu")

    @pytest.fixture(scope="class")
    def rows(self) -> list[dict[str, str]]:
        lines = (find_task("st-qa").sample / "train.jsonl").read_text(encoding="utf-8")
        rows: list[dict[str, str]] = [json.loads(line) for line in lines.splitlines()][:40]
        # Some questions have two answers, and some answers two questions.
        for number in range(6):
            rows.append({"question": rows[number]["question"], "answer": rows[-1]["answer"]})
        return rows

    def test_search(self, model: Any, rows: list[dict[str, str]]) -> None:
        from sentence_transformers.sentence_transformer.evaluation import (
            InformationRetrievalEvaluator,
        )

        from luthier.trainers.sentence.measuring import search

        questions = [row["question"] for row in rows]
        answers = [row["answer"] for row in rows]
        relevant: dict[str, set[str]] = {}
        for question, answer in zip(questions, answers, strict=True):
            relevant.setdefault(question, set()).add(answer)
        ks: dict[str, Any] = {"accuracy_at_k": [1, 5, 10], "precision_recall_at_k": [10]}
        theirs = InformationRetrievalEvaluator(
            {text: text for text in relevant}, {text: text for text in answers}, relevant, **ks
        )(model)
        ours = search(questions, answers, model.encode(questions), model.encode(answers))
        assert len(ours.ranks) == len(rows)
        assert 0 < ours.figures["mrr_at_10"] < 1
        for name, value in ours.figures.items():
            assert theirs[f"cosine_{name.replace('_at_', '@')}"] == pytest.approx(value), name

    def test_pairs_and_triplets(self, model: Any, rows: list[dict[str, str]]) -> None:
        from sentence_transformers.sentence_transformer import evaluation

        from luthier.trainers.sentence import measuring

        first, second = ([row[role] for row in rows] for role in ("question", "answer"))
        third = [*second[7:], *second[:7]]
        similar = measuring.similarities(model.encode(first), model.encode(second))
        scores = np.arange(len(rows)) % 7 / 6
        found = measuring.score_figures(scores, similar)
        theirs = evaluation.EmbeddingSimilarityEvaluator(first, second, scores.tolist())(model)
        assert theirs["spearman_cosine"] == pytest.approx(found["spearman"], abs=1e-4)
        assert theirs["pearson_cosine"] == pytest.approx(found["pearson"], abs=1e-4)

        other = measuring.similarities(model.encode(first), model.encode(third))
        theirs = evaluation.TripletEvaluator(first, second, third)(model)
        assert theirs["cosine_accuracy"] == pytest.approx(float((similar > other).mean()))

        together = np.arange(len(rows)) % 3 == 0
        labels = together.astype(int).tolist()
        theirs = evaluation.BinaryClassificationEvaluator(first, second, labels)(model)
        found = measuring.together_figures(together, similar)
        assert theirs["cosine_accuracy"] == pytest.approx(found["accuracy"])
        assert theirs["cosine_ap"] == pytest.approx(found["average_precision"])


def test_pairs_find_each_other_also_when_cut(go: Any) -> None:
    done = go(
        "st-pair",
        **{
            "training.max_steps": 60,
            "training.matryoshka_dims": [16],
            "training.loss": "cached-multiple-negatives-ranking",
            "training.mini_batch_size": 8,
            "training.symmetric": True,
        },
    )
    assert _figures(done)["eval_mrr_at_10"] > 0.9
    reports = _reports(done)
    assert reports.keys() == {"places", "worst", "lengths"}
    assert [row[0] for row in reports["lengths"].rows] == [64, 16]
    assert reports["lengths"].rows[1][1] > 0.8
    assert sum(row[1] for row in reports["places"].rows) == 24
    # What was cut off is not needed: the card's model says the same of shorter vectors.
    predictor = _predictor(done.run, "st-pair")
    near, far, vector = predictor.predict(
        [
            {"sentence1": "A chef is baking bread.", "sentence2": "a cook is putting dough in"},
            {"sentence1": "A chef is baking bread.", "sentence2": "a seaman is using a camera"},
            {"sentence1": "A chef is baking bread."},
        ]
    )
    assert near["similarity"] > far["similarity"]
    assert len(vector["embedding"]) == 64


def test_hard_negatives_are_kept_for_when_the_run_resumes(go: Any, workshop: Any) -> None:
    done = go(
        "st-qa",
        **{
            "training.hard_negatives": 2,
            # A random model finds no right text more similar than wrong ones.
            "training.hard_negatives_margin": None,
            "training.question_prompt": "query: ",
            "training.answer_prompt": "passage: ",
            "training.save_steps": 2,
        },
    )
    kept = json.loads((done.run.path / "hard_negatives.json").read_text(encoding="utf-8"))
    columns = kept["columns"]
    assert list(columns) == ["question", "answer", "negative_1", "negative_2"]
    assert all(a != n for a, n in zip(columns["answer"], columns["negative_1"], strict=True))
    assert set(columns["negative_1"]) <= set(columns["answer"])
    before = load_file(done.run.model / "model.safetensors")

    from sentence_transformers import SentenceTransformer

    assert SentenceTransformer(str(done.run.model)).prompts["query"] == "query: "
    shutil.rmtree(done.run.checkpoints / "checkpoint-4")
    again = workshop.attempt(done.run, 2)
    assert again.code == 0
    assert not [e for e in again.events if e.kind == "phase" and e.name == "mining"]
    after = load_file(done.run.model / "model.safetensors")
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_passages_are_ranked(go: Any) -> None:
    done = go("st-qa", **{"training.max_steps": 40})
    predictor = _predictor(done.run, "st-qa")
    right = "Pellby has about 12 thousand inhabitants."
    given = [right, "The line from the coast stops in Tarnfield.", "Rope came out of the works."]
    question = "How many people live in Pellby?"
    ranked, written, one, none = predictor.predict(
        [
            {"question": question, "answer": given[::-1]},
            {"question": question, "answer": json.dumps(given)},
            {"question": question, "answer": f"[1] {right}"},
            {"question": question},
        ]
    )
    assert ranked["passages"][0]["answer"] == right
    assert ranked == written
    assert one["similarity"] > ranked["passages"][-1]["similarity"]
    assert len(none["embedding"]) == 64


@pytest.mark.parametrize(
    ("task", "settings", "figure"),
    [
        ("st-triplet", {"loss": "triplet", "matryoshka_dims": [8]}, "eval_margin"),
        (
            "st-triplet",
            {"distinct_batches": False, "train_sampling_strategy": "group_by_length"},
            "eval_accuracy",
        ),
        ("st-pair-score", {"loss": "angle", "pooling": "cls"}, "eval_spearman"),
        (
            "st-pair-score",
            {"loss": "cosine-similarity", "gradient_checkpointing": True},
            "eval_pearson",
        ),
        (
            "st-pair-class",
            {"loss": "contrastive", "similar_class": "entailment", "matryoshka_dims": [8]},
            "eval_average_precision",
        ),
        ("st-pair-class", {"loss": "online-contrastive"}, "eval_threshold"),
    ],
)
def test_losses(go: Any, task: str, settings: dict[str, Any], figure: str) -> None:
    done = go(task, **{f"training.{name}": value for name, value in settings.items()})
    figures = _figures(done)
    assert np.isfinite(figures["train_loss"])
    assert np.isfinite(figures["eval_loss"])
    assert figure in figures
    assert ("lengths" in _reports(done)) == ("matryoshka_dims" in settings)
    if settings.get("pooling"):
        pooling = json.loads((done.run.model / "1_Pooling" / "config.json").read_text())
        assert pooling["pooling_mode"] == settings["pooling"]


def test_an_adapter_with_its_layer_resumes_merges_and_keeps_the_best(
    go: Any, workshop: Any
) -> None:
    done = go(
        "st-pair-class",
        **_LORA,
        **{
            "training.max_steps": 18,
            "training.class_weights": "balanced",
            "training.save_steps": 6,
            "training.save_total_limit": 3,
            "evaluation.strategy": "steps",
            "evaluation.steps": 6,
            "evaluation.load_best_model_at_end": True,
            "evaluation.early_stopping_patience": 5,
            "output.merge_adapter": True,
        },
    )
    rows = [{"sentence1": "A girl is reading.", "sentence2": "Nobody is deep in a book."}]
    (before,) = _predictor(done.run, "st-pair-class").predict(rows)
    assert before["label"] in before["scores"]
    assert sum(before["scores"].values()) == pytest.approx(1)
    weights = {p.name: load_file(p) for p in sorted(done.run.adapter.glob("*.safetensors"))}
    assert weights.keys() == {"adapter_model.safetensors", "pair_classes.safetensors"}

    from sentence_transformers import SentenceTransformer

    texts = ["A chef is baking bread.", "Where ships land, a seaman is cleaning plates."]
    adapted = SentenceTransformer(str(done.run.adapter), device="cpu").encode(texts)
    merged = SentenceTransformer(str(done.run.model), device="cpu").encode(texts)
    assert np.allclose(adapted, merged, atol=1e-4)
    assert not list(done.run.model.glob("adapter_*"))

    for step in (12, 18):
        shutil.rmtree(done.run.checkpoints / f"checkpoint-{step}")
    again = workshop.attempt(done.run, 2)
    assert again.code == 0, [e for e in again.events if e.kind == "error"]
    for name, tensors in weights.items():
        after = load_file(done.run.adapter / name)
        assert all(np.array_equal(tensors[key], after[key]) for key in tensors), name
    (card,) = re.findall(
        r"```python\n(.*?)```", (done.run.adapter / "README.md").read_text(), flags=re.DOTALL
    )
    assert "SentenceTransformer(folder)" in card


@pytest.mark.parametrize(
    ("task", "settings", "sentence"),
    [
        (
            "st-pair",
            {"training.matryoshka_dims": [128]},
            "training.matryoshka_dims: 128 is longer than the model's vectors, which have 64",
        ),
        (
            "st-pair",
            {"training.hard_negatives": 3, "training.hard_negatives_margin": 0.99},
            "training.hard_negatives: no row has 3 texts that are similar and yet less so",
        ),
        (
            "st-pair-class",
            {"training.loss": "contrastive", "training.similar_class": "same"},
            "training.similar_class: there is no class 'same'; there are contradiction",
        ),
        (
            "st-pair-class",
            {"training.class_weights": {"same": 2.0}},
            "training.class_weights: there is no class 'same'",
        ),
    ],
)
def test_what_cannot_be_trained_is_refused(
    go: Any, task: str, settings: dict[str, Any], sentence: str
) -> None:
    (error,) = go(task, code=2, **settings).of(ErrorEvent)
    assert sentence in error.message


def test_long_texts_are_warned_about(go: Any) -> None:
    rows = [{"sentence1": f"a {n}", "sentence2": f"b {n} " * (n % 9 + 1)} for n in range(30)]
    done = go("st-pair", rows=rows, **{"training.max_length": 8, "training.max_steps": 1})
    assert any("training.max_length" in event.message for event in done.of(WarningEvent))


@pytest.mark.slow
@pytest.mark.parametrize("task", ["st-pair", "st-pair-class"])
def test_several_processes_train_together(go: Any, task: str) -> None:
    done = go(task, **{"launch.processes": 2})
    assert np.isfinite(_figures(done)["eval_loss"])
    assert _predictor(done.run, task).model is not None
