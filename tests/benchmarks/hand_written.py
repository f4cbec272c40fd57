"""The demo's training as one plain TRL script: what Luthier's own cost is measured against.

Usage: hand_written.py MODEL TRAIN_FILE OUTPUT. Prints the Unix times of the first and last step,
and the processor seconds between them.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import torch
from datasets import load_dataset
from peft import LoraConfig
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from trl import SFTConfig, SFTTrainer


class Stopwatch(TrainerCallback):  # type: ignore[misc]
    """Notes when each optimizer step ended, and the processor seconds used until then."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.processor: list[float] = []

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self.times.append(time.time())
        self.processor.append(time.process_time())


def main(model: str, train_file: str, output: str) -> None:
    torch.set_num_threads(2)
    rows = load_dataset("json", data_files=train_file, split="train", cache_dir=f"{output}/cache")
    split = rows.train_test_split(test_size=0.05, seed=42)
    settings = json.loads(sys.argv[4])
    stopwatch = Stopwatch()
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32),
        processing_class=AutoTokenizer.from_pretrained(model),
        args=SFTConfig(
            output_dir=output,
            bf16=False,
            gradient_checkpointing=False,
            report_to=[],
            disable_tqdm=True,
            use_cpu=True,
            **settings,
        ),
        train_dataset=split["train"],
        eval_dataset=split["test"],
        peft_config=LoraConfig(
            r=16, lora_alpha=32, lora_dropout=0.0, target_modules="all-linear",
            task_type="CAUSAL_LM",
        ),
        callbacks=[stopwatch],
    )  # fmt: skip
    trainer.train()
    times, processor = stopwatch.times, stopwatch.processor
    result = {"first": times[0], "last": times[-1], "processor": processor[-1] - processor[0]}
    print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:4])
