"""Preferences, labels and rewards: trained, interrupted, resumed, loaded again."""

from __future__ import annotations

import contextlib
import io
import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from safetensors.numpy import load_file
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)

from luthier.trainers.engine.job import Adjustments, Reporter
from luthier.trainers.events import (
    DoneEvent,
    ErrorEvent,
    EvaluationEvent,
    Event,
    MetricsEvent,
    SampleEvent,
    WarningEvent,
)
from luthier.trainers.preference.reward_model import RewardPredictor
from luthier.trainers.run_folder import RunFolder, write_json
from luthier.trainers.tasks.llm_dpo import DPOLoss

Row = dict[str, Any]

_WOODS = ["spruce", "maple", "ebony", "willow", "poplar", "pear", "boxwood"]
_PAIRS: list[Row] = [
    {
        "prompt": f"name {n % 5 + 1}",
        "chosen": " ".join(_WOODS[: n % 5 + 1]),
        "rejected": f"no{n} " * (n % 3 + 1),
    }
    for n in range(24)
]
_LABELLED: list[Row] = [
    {"prompt": row["prompt"], "completion": row["chosen" if n % 2 else "rejected"], "label": n % 2}
    for n, row in enumerate(_PAIRS)
]
_PROMPTS: list[Row] = [{"prompt": f"count to {n}", "answer": n} for n in range(24)]
_SFT: list[Row] = [{"prompt": row["prompt"], "completion": row["chosen"]} for row in _PAIRS]
_ROWS = {
    "llm-dpo": _PAIRS,
    "llm-orpo": _PAIRS,
    "llm-reward": _PAIRS,
    "llm-kto": _LABELLED,
    "llm-grpo": _PROMPTS,
    "llm-distill": _SFT,
}
_WHOLE = {"peft.method": "none", "training.optim": "adamw_torch"}
_LENGTH = {
    "rewards.functions": ["length", "exact_match"],
    "rewards.length_target": 4,
    "rewards.weights": [1.0, 0.5],
}


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A larger model of the same vocabulary."""
    folder = tmp_path_factory.mktemp("teacher")
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    config = AutoConfig.from_pretrained(tiny_model, num_hidden_layers=3)
    torch.manual_seed(5)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def settings(workshop: Any, teacher: Path) -> Any:
    """The settings of a quick run of a task on rows of its kind."""

    def make(task: str, rows: list[Row] | None = None, **changes: Any) -> Row:
        workshop.data(_ROWS[task] if rows is None else rows)
        own: Row = {"evaluation.strategy": "steps", "evaluation.steps": 3}
        if task == "llm-grpo":
            own |= {"training.max_completion_length": 6, **_LENGTH}
        if task == "llm-distill":
            own["training.teacher_model_name_or_path"] = str(teacher)
            own["training.max_new_tokens"] = 6
        made: Row = workshop.settings(task, **{**own, **changes})
        return made

    return make


@pytest.fixture
def go(workshop: Any, settings: Any) -> Any:
    """A run's first attempt, which must succeed."""

    def run(task: str, rows: list[Row] | None = None, **changes: Any) -> Any:
        return workshop.finished(settings(task, rows, **changes))

    return run


@pytest.fixture
def stop_after(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Ask for a stop, by the file, at the log of a step."""
    write = Reporter.emit

    def arrange(step: int) -> None:
        def emit(self: Reporter, event: Event) -> None:
            write(self, event)
            if isinstance(event, MetricsEvent) and event.step == step:
                self.attempt.stop_request.write_text("{}", encoding="utf-8")

        monkeypatch.setattr(Reporter, "emit", emit)

    return arrange


def _weights(run: RunFolder) -> dict[str, Any]:
    folder = run.adapter if run.adapter.exists() else run.model
    (path,) = folder.glob("*.safetensors")
    return load_file(path)


def _curve(kind: type[Event], events: list[Event]) -> list[tuple[int, Row]]:
    """Values by step without the clock's; the later attempt's word counts."""
    clock = ("per_second", "runtime")
    found = {
        event.step: {k: v for k, v in event.values.items() if not any(c in k for c in clock)}
        for event in events
        if isinstance(event, kind)
    }
    return sorted(found.items())


_LONG = {
    "training.max_steps": 9,
    "training.logging_steps": 2,
    "training.gradient_accumulation_steps": 2,
    "training.warmup_steps": 2,
    "training.disable_dropout": False,
}
_MOVING = {"training.sync_ref_model": True, "training.ref_model_sync_steps": 2}
_SEVERAL_STEPS = {
    **_LONG,
    "training.gradient_accumulation_steps": 1,
    "training.generation_batch_size": 12,
    "training.num_iterations": 2,
    "training.beta": 0.05,
}


@pytest.mark.parametrize(
    ("task", "changes", "step"),
    [
        ("llm-dpo", {**_LONG, **_WHOLE, "training.precompute_ref_log_probs": True}, 4),
        ("llm-dpo", {**_LONG, **_WHOLE, **_MOVING}, 4),
        ("llm-orpo", _LONG, 4),
        ("llm-kto", {**_LONG, "training.precompute_ref_log_probs": True}, 6),
        ("llm-reward", _LONG, 4),
        ("llm-grpo", _SEVERAL_STEPS, 4),
        ("llm-distill", {**_LONG, **_WHOLE}, 4),
    ],
)
def test_interrupted_equals_uninterrupted(
    workshop: Any, settings: Any, go: Any, stop_after: Any, task: str, changes: Row, step: int
) -> None:
    whole = go(task, **changes)
    run = workshop.run(settings(task, **changes))
    stop_after(step)
    first = workshop.attempt(run, 1)
    assert first.code == 0, first.of(ErrorEvent)
    assert first.of(DoneEvent)[0].stopped
    second = workshop.attempt(run, 2)
    assert second.code == 0, second.of(ErrorEvent)
    both = first.events + second.events
    assert _curve(MetricsEvent, both) == _curve(MetricsEvent, whole.events)
    assert _curve(EvaluationEvent, both) == _curve(EvaluationEvent, whole.events)
    expected, found = _weights(whole.run), _weights(run)
    assert expected.keys() == found.keys()
    assert all((expected[name] == found[name]).all() for name in expected)


def _smaller(run: RunFolder) -> None:
    """What the memory ladder leaves behind after one retry."""
    halved = Adjustments(per_device_train_batch_size=2, gradient_accumulation_steps=2, retries=1)
    write_json(run.attempt(1).adjustments, halved.model_dump())


@pytest.mark.parametrize("task", ["llm-dpo", "llm-kto", "llm-grpo"])
def test_a_smaller_batch_goes_on_with_the_same_rows(
    workshop: Any, settings: Any, go: Any, stop_after: Any, task: str
) -> None:
    changes = {"training.max_steps": 6, "evaluation.strategy": "no"}
    # A group's answers cannot be told from each other when their rewards are the same.
    changes |= {"training.num_generations": 4} if task == "llm-grpo" else {}
    whole = go(task, **changes)
    run = workshop.run(settings(task, **changes))
    stop_after(3)
    first = workshop.attempt(run, 1)
    assert first.of(DoneEvent)[0].step == 4
    _smaller(run)
    second = workshop.attempt(run, 2)
    assert second.code == 0, second.of(ErrorEvent)
    assert second.losses.keys() == {5, 6}
    tokens = [
        event.values["num_tokens"] for event in (*first.of(MetricsEvent), *second.of(MetricsEvent))
    ]
    assert tokens == [event.values["num_tokens"] for event in whole.of(MetricsEvent)]


def _run_card(folder: Path) -> str:
    """What the card's code prints."""
    card = (folder / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", card, flags=re.DOTALL)
    said = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(said):
        exec(compile(code, "README.md", "exec"), {"__name__": "card"})
    return said.getvalue()


_NO_PICKLES = {".safetensors", ".json", ".jinja", ".md"}


@pytest.mark.parametrize("task", _ROWS)
def test_whole_models_load_with_the_public_library(go: Any, task: str) -> None:
    done = go(task, **{"training.max_steps": 2, "evaluation.strategy": "no", **_WHOLE})
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


@pytest.mark.parametrize("changes", [{}, _WHOLE], ids=["adapter", "whole"])
def test_a_reward_model_scores_as_its_card_says(go: Any, changes: Row) -> None:
    done = go("llm-reward", **{"training.max_steps": 3, **changes})
    (first, *_) = json.loads(done.run.preflight.read_text())["sample_inputs"]
    predictor = RewardPredictor(done.run, "cpu")
    (found, other) = predictor.predict([first, {**first, "chosen": "something else"}])
    assert found["score"] != other["score"]
    said = _run_card(done.run.path / done.of(DoneEvent)[0].artifact)
    assert float(said) == pytest.approx(found["score"], rel=1e-4)
    better, worse, *_ = done.of(SampleEvent)
    row = next(row for row in _PAIRS if row["prompt"] == better.prompt)
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
    for base in ({}, _WHOLE):
        curves = [
            _curve(MetricsEvent, go("llm-dpo", **{**common, **base, **more}).events)
            for more in ({}, named, before)
        ]
        for curve in curves[1:]:
            for (_, values), (_, expected) in zip(curve, curves[0], strict=True):
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
    done = go("llm-kto", _PAIRS)
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
    prompts = [{"prompt": row["prompt"] + "?" * (n % 4)} for n, row in enumerate(_SFT)]
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
    long = [*_PAIRS, {"prompt": "name " + "x" * 200, "chosen": "yes", "rejected": "no"}]
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


_LEARNING = {
    "training.max_steps": 40,
    "training.per_device_train_batch_size": 8,
    "training.learning_rate": 0.01,
    "evaluation.steps": 20,
    "peft.lora_dropout": 0.0,
    "peft.r": 8,
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "figure", "least"),
    [
        ("llm-dpo", "rewards/margins", 0.5),
        ("llm-orpo", "rewards/margins", 0.02),
        ("llm-kto", "rewards/margins", 0.3),
        ("llm-reward", "margin", 1.0),
    ],
)
def test_preferences_are_learnt(go: Any, task: str, figure: str, least: float) -> None:
    done = go(task, **_LEARNING)
    curve = [event.values[figure] for event in done.of(MetricsEvent) if figure in event.values]
    assert curve[-1] - curve[0] > least
    assert done.of(DoneEvent)[0].metrics[f"eval_{figure}"] > least


@pytest.mark.slow
def test_rewards_rise(go: Any, tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    own.write_text(
        "def digits(completions, **_):\n"
        "    texts = [c[0]['content'] for c in completions]\n"
        "    return [sum(x.isdigit() for x in t) / max(len(t), 1) for t in texts]\n"
    )
    changes = {
        **_LEARNING,
        **_WHOLE,
        "training.max_steps": 60,
        "training.learning_rate": 0.005,
        "training.per_device_train_batch_size": 16,
        "training.max_completion_length": 8,
        "rewards.functions": [f"{own}:digits"],
        "rewards.weights": [],
    }
    curve = [event.values["reward"] for event in go("llm-grpo", **changes).of(MetricsEvent)]
    assert sum(curve[:5]) / 5 < 0.2
    assert sum(curve[-5:]) / 5 > 0.6


@pytest.mark.slow
@pytest.mark.parametrize("lmbda", [0.0, 1.0])
def test_a_student_comes_near_its_teacher(go: Any, lmbda: float) -> None:
    changes = {**_LEARNING, **_WHOLE, "training.lmbda": lmbda, "training.learning_rate": 0.02}
    done = go("llm-distill", **changes)
    losses = [event.values["loss"] for event in done.of(MetricsEvent)]
    assert losses[-1] < 0.5 * losses[0]
