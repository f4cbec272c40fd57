"""llm-grpo: TRL's GRPOTrainer, which writes answers and learns from what they earn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

from ..data import Example
from ..engine.job import Job, Result
from ..engine.samples import Prompt, Score
from ..errors import DataError, Problem
from ..tasks.llm_grpo import GRPOSpec
from .generating import GeneratingTrainer, GroupSampler
from .pipeline import Built, Parts, run_preference
from .reward_model import RewardModel
from .rewards import RewardFunction, reward_functions
from .rows import Row

_OWN_SETTINGS = {
    *("max_completion_length", "temperature", "top_p", "top_k", "min_p", "repetition_penalty"),
    *("generation_batch_size", "num_iterations", "beta", "epsilon", "epsilon_high", "delta"),
    *("loss_type", "scale_rewards", "importance_sampling_level", "mask_truncated_completions"),
    *("top_entropy_quantile", "disable_dropout", "sync_ref_model", "ref_model_mixup_alpha"),
    "ref_model_sync_steps",
}
# Names under which TRL gives other things to reward functions.
_TAKEN = {"prompts", "completions", "completion_ids", "trainer_state", "log_extra", "log_metric"}


def train(job: Job[GRPOSpec]) -> Result:
    """Train as the job's spec says. Called by its dotted path from the task's registry entry."""
    return run_preference(job, build)


def build(parts: Parts) -> Built:
    """The trainer, its model wrapped and its prompts and rewards in place."""
    spec = parts.job.spec
    if not isinstance(spec, GRPOSpec):
        raise TypeError(f"{type(spec).__name__} is not the spec of a GRPO run")
    train_rows, measured = (
        [row for row in rows if _fits(row, spec.training.max_prompt_length)]
        for rows in (parts.rows.train, parts.rows.validation)
    )
    _need_prompts(spec, train_rows)
    arguments = GRPOConfig(
        **parts.setup.arguments(),
        **spec.training.model_dump(include=_OWN_SETTINGS),
        num_generations=spec.group,
        num_generations_eval=spec.measured_group,
        reward_weights=spec.rewards.weights or None,
        # The trainer loads the reference itself, when there is one.
        model_init_kwargs={"revision": spec.model.revision} if spec.model.revision else None,
        trust_remote_code=spec.model.trust_remote_code,
    )
    model = spec.rewards.model if "model" in spec.rewards.functions else None
    scorer = RewardModel.load(model, arguments.device) if model else None
    functions = reward_functions(spec.rewards, scorer)
    count = len(train_rows)
    trainer = GroupTrainer(
        **parts.common(),
        reward_funcs=functions,
        args=arguments,
        train_dataset=Dataset.from_dict({"row": range(count)}),
        eval_dataset=(
            Dataset.from_dict({"row": range(count, count + len(measured))}) if measured else None
        ),
    )
    trainer.inputs = [columns_of(row.example) for row in (*train_rows, *measured)]
    asked = not spec.evaluation.sample_prompts
    shown = [columns_of(row.example) for row in measured] if asked else []
    return Built(trainer, _score(functions, shown, spec.rewards.weights))


def _fits(row: Row, limit: int | None) -> bool:
    return limit is None or len(row.prompt) <= limit


def _need_prompts(spec: GRPOSpec, rows: Sequence[Row]) -> None:
    needed = spec.written // spec.group
    if len(rows) < needed:
        raise DataError(
            [
                Problem(
                    f"{len(rows)} prompts are fewer than the {needed} for which answers are "
                    "written at a time; raise training.num_generations or lower the batch or "
                    "the accumulation",
                    spec.data.path,
                )
            ]
        )


def columns_of(example: Example) -> dict[str, Any]:
    """A row as reward functions get it: the prompt as it is asked, and every other column."""
    row = {name: value for name, value in example["row"].items() if name not in _TAKEN}
    return {**row, "prompt": example["prompt"]}


def _score(
    functions: Sequence[RewardFunction], rows: Sequence[dict[str, Any]], weights: Sequence[float]
) -> Score:
    """What each of the samples earns by each function, and in all."""

    def score(prompts: Sequence[Prompt], texts: Sequence[str]) -> list[dict[str, float]]:
        found = []
        for prompt, text in zip(prompts, texts, strict=True):
            row = next((r for r in rows if _asks(r["prompt"], prompt.shown)), {})
            asked = row.get("prompt", prompt.shown)
            chat = not isinstance(asked, str)
            answer = [{"role": "assistant", "content": text}] if chat else text
            columns = {name: [value] for name, value in row.items() if name != "prompt"}
            earned = {
                function.__name__: value
                for function in functions
                if (value := function(prompts=[asked], completions=[answer], **columns)[0])
                is not None
            }
            parts = zip(functions, weights or [1.0] * len(functions), strict=True)
            total = sum(weight * earned.get(function.__name__, 0.0) for function, weight in parts)
            found.append({**earned, "reward": total})
        return found

    return score


def _asks(prompt: Any, shown: str) -> bool:
    """Whether that is the prompt that is shown so."""
    if isinstance(prompt, str):
        return prompt == shown
    return any(turn["role"] == "user" and turn["content"] == shown for turn in prompt)


class GroupTrainer(GeneratingTrainer, GRPOTrainer):
    """GRPOTrainer whose answers, half used up, are kept in checkpoints.

    Attributes:
        inputs: what each row of the datasets stands for.
    """

    inputs: list[dict[str, Any]]

    @property
    def steps_on_answers(self) -> int:
        """Forward passes for which one writing of answers lasts."""
        return int(self.args.steps_per_generation * self.num_iterations)

    @property
    def pieces(self) -> int:
        """Into how many batches the answers of one writing are split."""
        return int(self.args.steps_per_generation)

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        rows = [self.inputs[one["row"]] for one in inputs]
        written: dict[str, Any] = super()._generate_and_score_completions(rows)
        return written

    def _get_train_sampler(self, dataset: Any = None) -> Any:
        return GroupSampler(
            self.train_dataset if dataset is None else dataset,
            mini_repeat_count=self.num_generations,
            batch_size=self.args.generation_batch_size // self.num_generations,
            repeat_count=self.steps_on_answers,
            seed=self.args.data_seed,
        )
