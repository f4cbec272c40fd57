"""llm-orpo: TRL's ORPOTrainer over pairs that were checked and tokenised before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from datasets import Dataset
from trl.experimental.orpo import ORPOConfig, ORPOTrainer

from ..engine.job import Job, Result
from ..engine.metered import MeteredTrainer
from ..engine.samples import Prompt, Score
from ..tasks.llm_orpo import ORPOSpec
from .pipeline import Built, Parts, run_preference
from .reference import log_probabilities
from .rows import Row, within_limits


def train(job: Job[ORPOSpec]) -> Result:
    """Train as the job's spec says. Called by its dotted path from the task's registry entry."""
    return run_preference(job, build)


def build(parts: Parts) -> Built:
    """The trainer, its model wrapped and its pairs in place."""
    spec = parts.job.spec
    if not isinstance(spec, ORPOSpec):
        raise TypeError(f"{type(spec).__name__} is not the spec of an ORPO run")
    train_rows, measured = (
        pairs(within_limits(parts.job, rows)) for rows in (parts.rows.train, parts.rows.validation)
    )
    arguments = ORPOConfig(
        **parts.setup.arguments(),
        **spec.training.model_dump(include={"beta", "max_length", "disable_dropout"}),
        remove_unused_columns=False,
    )
    trainer = OddsTrainer(
        **parts.common(), args=arguments, train_dataset=train_rows, eval_dataset=measured
    )
    return Built(trainer, _rewards(trainer, parts.tokenizer, spec.training.beta))


def pairs(rows: Sequence[Row]) -> Dataset | None:
    """The pairs as the trainer's collator wants them; None when there are none."""
    columns: dict[str, list[list[int]]] = {}
    for name, number in (("chosen", 0), ("rejected", 1)):
        whole = [row.prompt + row.answers[number] for row in rows]
        columns[f"{name}_input_ids"] = whole
        columns[f"{name}_attention_mask"] = [[1] * len(ids) for ids in whole]
        columns[f"{name}_labels"] = [[-100] * len(row.prompt) + row.answers[number] for row in rows]
    return Dataset.from_dict(columns) if rows else None


def _rewards(trainer: Any, tokenizer: Any, beta: float) -> Score:
    """ORPO's reward: beta times the mean log-probability of a token."""

    def score(prompts: Sequence[Prompt], texts: Sequence[str]) -> list[dict[str, float]]:
        found = []
        for prompt, text in zip(prompts, texts, strict=True):
            ids = tokenizer(text, add_special_tokens=False)["input_ids"]
            mean = log_probabilities(trainer.model, prompt.tokens, ids).mean() if ids else 0.0
            found.append({"implicit_reward": beta * float(mean)})
        return found

    return score


class OddsTrainer(MeteredTrainer, ORPOTrainer):
    """ORPOTrainer on pairs that are tokenised, which counts tokens and resumes its metrics."""

    has_perplexity = False

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._total_train_tokens = 0.0

    @property
    def _metrics(self) -> Any:  # type: ignore[override]
        return self._stored_metrics

    def tokenize_row(self, feature: dict[str, Any], model: Any = None) -> dict[str, Any]:
        """Nothing: the row has its tokens."""
        return {}

    def row_lengths(self, dataset: Any) -> list[int]:
        """The length of each pair's answers with the prompt, in tokens."""
        both = zip(dataset["chosen_input_ids"], dataset["rejected_input_ids"], strict=True)
        return [len(chosen) + len(rejected) for chosen, rejected in both]

    def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        masks = [inputs[f"{name}_attention_mask"].sum() for name in ("chosen", "rejected")]
        counts = self.accelerator.gather_for_metrics(sum(masks))
        self._total_train_tokens += float(counts.sum())
        return super().compute_loss(model, inputs, *args, **kwargs)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        if "loss" in logs:
            logs["num_tokens"] = self._total_train_tokens
        super().log(logs, start_time)
