"""Preferences, labels and rewards: every setting, loaded again, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)

from luthier.trainers.events import (
    DoneEvent,
    ErrorEvent,
    MetricsEvent,
    SampleEvent,
    WarningEvent,
)
from luthier.trainers.preference.reward_model import RewardPredictor
from luthier.trainers.tasks.llm_dpo import DPOLoss

from ..cards import run_card
from .support import PAIRS, ROWS, SFT, WHOLE, Row, curve

_NO_PICKLES = {".safetensors", ".json", ".jinja", ".md"}


@pytest.mark.parametrize("task", ROWS)
def test_whole_models_load_with_the_public_library(go: Any, task: str) -> None:
    done = go(task, **{"training.max_steps": 2, "evaluation.strategy": "no", **WHOLE})
    folder = done.run.path / done.of(DoneEvent)[0].artifact
    assert {path.suffix for path in folder.iterdir()} <= _NO_PICKLES
    assert done.of(MetricsEvent)[-1].values["num_tokens"] > 0
    scores = task == "llm-reward"
    kind = AutoModelForSequenceClassification if scores else AutoModelForCausalLM
    row = AutoTokenizer.from_pretrained(folder)("name 1", return_tensors="pt")
    with torch.no_grad():
        logits = kind.from_pretrained(folder)(**row).logits
    assert torch.isfinite(logits).all()
    assert logits.shape[-1] == (1 if scores else logits.shape[-1])


@pytest.mark.parametrize("changes", [{}, WHOLE], ids=["adapter", "whole"])
def test_a_reward_model_scores_as_its_card_says(go: Any, changes: Row) -> None:
    done = go("llm-reward", **{"training.max_steps": 3, **changes})
    (first, *_) = json.loads(done.run.preflight.read_text())["sample_inputs"]
    predictor = RewardPredictor(done.run, "cpu")
    (found, other) = predictor.predict([first, {**first, "chosen": "something else"}])
    assert found["score"] != other["score"]
    said = run_card(done.run.path / done.of(DoneEvent)[0].artifact)
    assert float(said) == pytest.approx(found["score"], rel=1e-4)
    better, worse, *_ = done.of(SampleEvent)
    row = next(row for row in PAIRS if row["prompt"] == better.prompt)
    assert (better.text, worse.text) == (row["chosen"], row["rejected"])
    assert better.rewards["score"] != worse.rewards["score"]


def test_every_loss_of_dpo_at_once(go: Any) -> None:
    losses = list(get_args(DPOLoss))
    done = go("llm-dpo", **{"training.loss_type": losses, "training.label_smoothing": 0.1})
    values = done.of(MetricsEvent)[-1].values
    assert all(values[name] is not None for name in ("loss", "rewards/margins", "logps/chosen"))
    assert done.of(DoneEvent)[0].metrics["eval_rewards/accuracies"] is not None


def test_all_references_are_the_same_model(workshop: Any, go: Any) -> None:
    """The adapter turned off, a copy, the copy asked before, and the model named outright."""
    common = {"training.max_steps": 3, "evaluation.strategy": "no"}
    named = {"training.ref_model": str(workshop.model)}
    before = {"training.precompute_ref_log_probs": True}
    for base in ({}, WHOLE):
        curves = [
            curve(MetricsEvent, go("llm-dpo", **{**common, **base, **more}).events)
            for more in ({}, named, before)
        ]
        for other in curves[1:]:
            for (_, values), (_, expected) in zip(other, curves[0], strict=True):
                assert values == pytest.approx(expected, rel=1e-3, abs=1e-5)


def test_samples_carry_what_they_earn(go: Any) -> None:
    for task, names in (
        ("llm-dpo", {"implicit_reward"}),
        ("llm-orpo", {"implicit_reward"}),
        ("llm-kto", {"implicit_reward"}),
        ("llm-grpo", {"length", "exact_match", "reward"}),
    ):
        (sample, *_) = go(task, **{"training.max_steps": 3}).of(SampleEvent)
        assert set(sample.rewards) == names
        assert all(value is not None for value in sample.rewards.values())


def test_pairs_are_labels_too(go: Any) -> None:
    done = go("llm-kto", PAIRS)
    report = json.loads(done.run.preflight.read_text())
    assert report["format"] == "pairs"
    assert report["train"]["used"] == report["train"]["rows"]
    assert "eval_rewards/margins" in done.of(DoneEvent)[0].metrics


def test_a_trained_reward_model_rewards(go: Any, workshop: Any, tmp_path: Path) -> None:
    scorer = go("llm-reward", **{"training.max_steps": 2})
    own = tmp_path / "own.py"
    own.write_text(
        "def short(prompts, completions, answer, **_):\n"
        "    return [-len(c[0]['content']) + 0 * int(a) for c, a in zip(completions, answer)]\n"
    )
    done = go(
        "llm-grpo",
        **{
            "rewards.functions": ["model", f"{own}:short"],
            "rewards.model": str(scorer.run.adapter),
            "rewards.weights": [],
        },
    )
    values = done.of(MetricsEvent)[-1].values
    assert {"rewards/model/mean", "rewards/short/mean"} <= values.keys()
    assert values["reward"] == pytest.approx(
        values["rewards/model/mean"] + values["rewards/short/mean"], abs=1e-4
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rewards.functions": ["{own}:broken"]}, "raised ValueError: never"),
        ({"rewards.functions": ["{own}:missing"]}, "it has no function 'missing'"),
        ({"rewards.functions": ["model"], "rewards.model": "{model}"}, "outputs; a score is one"),
        ({"training.per_device_train_batch_size": 100}, "are fewer than the"),
        ({"data.path": "nowhere.jsonl"}, "there is no such file"),
    ],
)
def test_rewards_that_cannot_be(
    workshop: Any, settings: Any, tmp_path: Path, changes: Row, said: str
) -> None:
    own = tmp_path / "own.py"
    own.write_text("def broken(**_):\n    raise ValueError('never')\n")
    text = json.dumps(changes).replace("{own}", str(own)).replace("{model}", str(workshop.model))
    changes = {"rewards.weights": [], **json.loads(text)}
    outcome = workshop.attempt(workshop.run(settings("llm-grpo", **changes)))
    assert outcome.code != 0
    (error,) = outcome.of(ErrorEvent)
    assert said in error.message


@pytest.mark.parametrize("changes", [{"training.lmbda": 1.0}, {"training.seq_kd": True}])
def test_distilling_needs_no_answers_where_they_are_written(go: Any, changes: Row) -> None:
    prompts = [{"prompt": row["prompt"] + "?" * (n % 4)} for n, row in enumerate(SFT)]
    done = go("llm-distill", prompts, **changes)
    assert json.loads(done.run.preflight.read_text())["format"] == "prompts"
    assert done.of(DoneEvent)[0].metrics["eval_loss"] > 0
    assert all(event.values["loss"] > 0 for event in done.of(MetricsEvent))


def test_a_teacher_of_another_vocabulary_is_refused(
    workshop: Any, settings: Any, tmp_path: Path, tiny_model: Path
) -> None:
    config = AutoConfig.from_pretrained(tiny_model, vocab_size=7)
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / "other")
    changes = {"training.teacher_model_name_or_path": str(tmp_path / "other")}
    outcome = workshop.attempt(workshop.run(settings("llm-distill", **changes)))
    (error,) = outcome.of(ErrorEvent)
    assert "has a vocabulary of 7 tokens" in error.message


def test_rows_longer_than_the_limit(go: Any, workshop: Any, settings: Any) -> None:
    long = [*PAIRS, {"prompt": "name " + "x" * 200, "chosen": "yes", "rejected": "no"}]
    for task in ("llm-dpo", "llm-orpo", "llm-reward"):
        done = go(task, long, **{"training.max_length": 100, "training.max_steps": 1})
        warned = " ".join(event.message for event in done.of(WarningEvent))
        assert "longer than 100 tokens" in warned
        assert "left out" in warned
    outcome = workshop.attempt(
        workshop.run(settings("llm-dpo", long, **{"training.max_length": 8}))
    )
    (error,) = outcome.of(ErrorEvent)
    assert "as long as training.max_length" in error.message
