"""The model that training is held near: another one, the one without its adapter, or a copy."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from ..engine.models import load_options
from ..engine.samples import Prompt, Score
from ..errors import Problem, SpecError
from ..spec.preference_data import ReferenceSpec
from .pipeline import Parts


def load_reference(parts: Parts, policy: Any) -> Any:
    """The reference as a model of its own; None where the trainer does without.

    An adapter's reference is the model without it, and one that is asked before training only is
    the model as it then is.

    Raises:
        SpecError: it has another vocabulary than the model.
    """
    spec = parts.job.spec
    if not isinstance(spec, ReferenceSpec):
        raise TypeError(f"{type(spec).__name__} has no reference")
    name = spec.training.ref_model
    if name is not None:
        options = {**load_options(spec.model), "revision": None, "dtype": policy.dtype}
        reference = AutoModelForCausalLM.from_pretrained(name, **options)
        refuse_other_vocabulary(reference, policy, "training.ref_model")
    elif spec.peft.method == "none" and not spec.training.precompute_ref_log_probs:
        reference = parts.setup.load_model()
    else:
        return None
    return reference.eval().requires_grad_(False)


def refuse_other_vocabulary(other: Any, model: Any, key: str) -> None:
    """Raises SpecError unless both models know the same number of tokens."""
    sizes = [each.config.get_text_config().vocab_size for each in (other, model)]
    if sizes[0] != sizes[1]:
        raise SpecError(
            [
                Problem(
                    f"has a vocabulary of {sizes[0]} tokens and model.name_or_path one of "
                    f"{sizes[1]}; both must be of one family",
                    key,
                )
            ]
        )


def implicit_rewards(trainer: Any, tokenizer: Any, beta: float) -> Score:
    """What the model has come to think of a text: beta times how much likelier it has become.

    Equation 5 of arXiv 2305.18290 without its constant. Empty where no reference is held.
    """

    def score(prompts: Sequence[Prompt], texts: Sequence[str]) -> list[dict[str, float]]:
        model = trainer.model
        adapter = isinstance(model, PeftModel)
        reference = trainer.ref_model
        if reference is None and not adapter:
            return [{} for _ in texts]
        found = []
        for prompt, text in zip(prompts, texts, strict=True):
            ids = tokenizer(text, add_special_tokens=False)["input_ids"]
            now = log_probabilities(model, prompt.tokens, ids).sum()
            with model.disable_adapter() if reference is None else nullcontext():
                held = log_probabilities(reference or model, prompt.tokens, ids).sum()
            found.append({"implicit_reward": beta * float(now - held)})
        return found

    return score


@torch.no_grad()
def log_probabilities(model: Any, prompt: list[int], answer: list[int]) -> torch.Tensor:
    """The log-probability of each token of an answer, in the model's own mode."""
    if not answer:
        return torch.zeros(0)
    device = next(model.parameters()).device
    ids = torch.tensor([prompt + answer], device=device)
    logits = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0].float()
    # A trained prompt's own positions come first.
    rows = logits[-len(answer) - 1 : -1].log_softmax(-1)
    found: torch.Tensor = rows.gather(1, ids[0, -len(answer) :, None])[:, 0].cpu()
    return found
