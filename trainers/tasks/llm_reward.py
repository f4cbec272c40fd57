"""llm-reward: a model that scores answers, learnt from pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ..registry import Column, Inputs, Loading, Task
from ..spec import parameter
from ..spec.preference_data import PAIR_NOTES, PromptSpec
from ..spec.sections import TrainingSection


class RewardTraining(TrainingSection):
    """TRL's RewardConfig names beside the common ones."""

    learning_rate: float = parameter(
        1e-4,
        "Peak step size; about 1e-4 for LoRA, 1e-5 for full training.",
        level="beginner",
        gt=0,
        le=10,
        group="optimizer",
    )
    max_length: int = parameter(
        1024,
        "Longest prompt with its answer; pairs with a longer one are left out.",
        level="beginner",
        unit="tokens",
        ge=8,
        group="text",
    )
    center_rewards_coefficient: float | None = parameter(
        None, "Pull scores towards zero with this weight; 0.01 is usual.", ge=0, group="loss"
    )
    disable_dropout: bool = parameter(
        True, "Turn the model's dropout off, so that answers are compared fairly.", group="loss"
    )


class RewardSpec(PromptSpec):
    """A run that trains a reward model."""

    task: Literal["llm-reward"] = parameter("llm-reward", "What is trained.", level="beginner")
    training: RewardTraining = parameter(RewardTraining(), "How it is trained.")


_USAGE = """
import torch

prompt, answer = $prompt, $chosen
if tokenizer.chat_template:
    turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
    text = tokenizer.apply_chat_template(turns, tokenize=False)
else:
    text = prompt + answer + tokenizer.eos_token
inputs = tokenizer(text, add_special_tokens=not tokenizer.chat_template, return_tensors="pt")
with torch.no_grad():
    print(model(input_ids=inputs["input_ids"]).logits[0, 0].item())
"""

TASK = Task(
    id="llm-reward",
    family="preference",
    title="Reward model",
    sentence="Train a model that scores how good an answer is, from pairs of answers.",
    columns=(
        Column("prompt", "text or chat messages", "How do I seat a sound post?", required=False),
        Column(
            "chosen",
            "text or chat messages",
            "With a setter, under light string tension.",
            names=("chosen", "answer", "completion", "response", "text"),
        ),
        Column("rejected", "text or chat messages", "With glue."),
    ),
    spec=RewardSpec,
    metrics=("eval_loss", "eval_accuracy", "eval_margin", "eval_mean_reward"),
    default_model="HuggingFaceTB/SmolLM2-135M-Instruct",
    sample=Path(__file__).parent.parent / "samples" / "llm-reward",
    train="luthier.trainers.preference.reward:train",
    notes=PAIR_NOTES,
    loading=Loading(
        auto_class="AutoModelForSequenceClassification",
        peft_type="SEQ_CLS",
        pipeline_tag="text-classification",
    ),
    usage=_USAGE,
    predict="luthier.trainers.preference.reward_model:RewardPredictor",
    inputs=Inputs(("chosen",), optional=("prompt",)),
    aliases=("llm:reward",),
    tiny="luthier.trainers.tiny.language:causal_model",
    sample_settings={"training.max_steps": 20, "training.max_length": 128},
)
