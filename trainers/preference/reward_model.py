"""A trained reward model: as a reward, and as what scores answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftConfig, PeftModel
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

from ..data.row_reader import turn
from ..errors import Problem, SpecError
from ..predicting.models import load_result
from ..predicting.predictor import Predictor
from ..run_folder import RunFolder
from ..spec.file import load_spec
from .rewards import Rewards, text_of

_AT_ONCE = 16


class RewardModel:
    """Scores prompts with their answers; called as TRL calls reward functions."""

    def __init__(self, model: Any, tokenizer: Any, key: str = "rewards.model") -> None:
        """``key`` is the setting that names the model, for error texts."""
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        model.config.get_text_config().pad_token_id = tokenizer.pad_token_id
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self._key = key

    @classmethod
    def load(cls, name: str, device: Any) -> RewardModel:
        """The model of a folder or of the hub, with its adapter where it is one.

        Raises:
            SpecError: it does not give one score.
        """
        tokenizer = AutoTokenizer.from_pretrained(name)
        return cls(_load(name, "rewards.model").to(device), tokenizer)

    def __call__(self, prompts: Sequence[Any], completions: Sequence[Any], **_: Any) -> Rewards:
        texts = [self._text(p, c) for p, c in zip(prompts, completions, strict=True)]
        plain = all(isinstance(prompt, str) for prompt in prompts)
        return [
            score
            for start in range(0, len(texts), _AT_ONCE)
            for score in self._scores(texts[start : start + _AT_ONCE], plain=plain)
        ]

    def _text(self, prompt: Any, completion: Any) -> str:
        if isinstance(prompt, str):
            # A reward model learns from answers that have ended.
            end = self.tokenizer.eos_token or ""
            return prompt + text_of(completion).removesuffix(end) + end
        if not self.tokenizer.chat_template:
            raise SpecError([Problem("has no chat template, and the prompts are chats", self._key)])
        chat = [*prompt, {"role": "assistant", "content": text_of(completion)}]
        return str(self.tokenizer.apply_chat_template(chat, tokenize=False))

    @torch.no_grad()
    def _scores(self, texts: list[str], *, plain: bool) -> list[float]:
        batch = self.tokenizer(
            texts,
            return_tensors="pt",
            padding=True,
            padding_side="right",
            # A chat template writes its own.
            add_special_tokens=plain,
        ).to(self.model.device)
        inputs = {key: batch[key] for key in ("input_ids", "attention_mask")}
        found: list[float] = self.model(**inputs).logits[:, 0].float().tolist()
        return found


def _load(name: str, key: str) -> Any:
    options: dict[str, Any] = {"use_safetensors": True, "dtype": "auto"}
    adapter = (Path(name) / "adapter_config.json").exists()
    if adapter and not (Path(name) / "config.json").exists():
        raise SpecError([Problem(f"{name} is an adapter, but not of a reward model", key)])
    config = AutoConfig.from_pretrained(name)
    if config.num_labels != 1:
        raise SpecError([Problem(f"{name} has {config.num_labels} outputs; a score is one", key)])
    if not adapter:
        return AutoModelForSequenceClassification.from_pretrained(name, **options)
    adapted = PeftConfig.from_pretrained(name)
    model = AutoModelForSequenceClassification.from_pretrained(
        adapted.base_model_name_or_path, revision=adapted.revision, config=config, **options
    )
    return PeftModel.from_pretrained(model, name).merge_and_unload()


class RewardPredictor(Predictor):
    """Scores answers with the result of a run."""

    def __init__(self, run: RunFolder, device: str) -> None:
        super().__init__(run, device)
        spec: Any = load_spec(run.spec)
        self._scorer = RewardModel(*load_result(run, spec, device), key="model.chat_template")

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The score of each answer; higher is better."""
        prompts = [self._prompt(row.get("prompt")) for row in rows]
        answers = [str(row["chosen"]) for row in rows]
        return [{"score": score} for score in self._scorer(prompts, answers)]

    def _prompt(self, prompt: Any) -> Any:
        """The prompt as rows of its kind are learnt: a chat where there is a template for one."""
        if prompt and isinstance(prompt, str) and self._scorer.tokenizer.chat_template:
            return turn("user", prompt)
        return prompt or ""
