"""Real runs on the CPU at several sizes, with the memory that they took, beside the estimate."""

from __future__ import annotations

import json
import os
import string
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from luthier.presets.memory import DeviceFacts, Estimate, Lengths, quick_estimate, read_shape
from luthier.trainers.spec.file import build_spec

ROWS = 8


@dataclass(frozen=True)
class Size:
    """A Llama to build: millions of parameters by name, hidden, inner, layers, heads, tokens."""

    name: str
    hidden: int
    inner: int
    layers: int
    heads: int
    kv_heads: int
    vocabulary: int


SIZES = (
    Size("2M", 192, 512, 4, 6, 6, 256),
    Size("11M", 256, 768, 8, 4, 2, 16000),
    Size("26M", 384, 1024, 10, 6, 3, 24000),
    Size("63M", 512, 1536, 12, 8, 4, 32000),
    Size("135M", 576, 1536, 30, 9, 3, 49152),
)


@dataclass(frozen=True)
class Case:
    """A run: size of the model, task, method, rows of a pass, their length, and the rest."""

    size: Size
    task: str
    method: str
    batch: int
    length: int
    checkpointing: bool = False
    precision: str = "no"
    optimizer: str = "adamw_torch_fused"

    def __str__(self) -> str:
        recomputed = " recomputed" if self.checkpointing else ""
        return (
            f"{self.size.name:>5} {self.task:11} {self.method:4} {self.batch}x{self.length:<5}"
            f"{self.precision:5}{recomputed}"
        )


CASES = (
    Case(SIZES[0], "llm-sft", "lora", 4, 512),
    Case(SIZES[1], "llm-generic", "none", 4, 256),
    Case(SIZES[2], "llm-sft", "none", 2, 256),
    Case(SIZES[3], "llm-sft", "lora", 2, 256),
    Case(SIZES[4], "llm-sft", "none", 1, 256),
    Case(SIZES[3], "llm-generic", "none", 2, 512),
    Case(SIZES[3], "llm-generic", "lora", 2, 512, checkpointing=True),
    Case(SIZES[4], "llm-sft", "lora", 2, 512, checkpointing=True),
)
"""One for each size first, then checkpointing and whole logits."""


# A process's greatest memory counts that of the one it was forked from, so a small one does it.
_WATCH = """
import os, subprocess, sys
worker = subprocess.Popen(sys.argv[1:], stdout=sys.stderr)
_, status, usage = os.wait4(worker.pid, 0)
print(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 1, usage.ru_maxrss)
"""


@dataclass(frozen=True)
class Outcome:
    """What was estimated and what the worker's process took at its worst (ru_maxrss)."""

    estimate: Estimate
    measured: int

    @property
    def error(self) -> float:
        """How far the estimate is above the truth, as a share of it."""
        return self.estimate.total / self.measured - 1


def build_model(folder: Path, size: Size) -> None:
    """A Llama of random weights with a character tokenizer."""
    import torch
    from tokenizers import Tokenizer, decoders
    from tokenizers.models import BPE
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    specials = ["<|pad|>", "<|end|>", "<|unknown|>"]
    signs = [*specials, *string.printable]
    tokenizer = Tokenizer(BPE({sign: number for number, sign in enumerate(signs)}, merges=[],
                              unk_token="<|unknown|>"))  # fmt: skip
    tokenizer.decoder = decoders.Fuse()
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<|pad|>", eos_token="<|end|>",
        unk_token="<|unknown|>",
    )  # fmt: skip
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=size.vocabulary, hidden_size=size.hidden, intermediate_size=size.inner,
        num_hidden_layers=size.layers, num_attention_heads=size.heads,
        num_key_value_heads=size.kv_heads, max_position_embeddings=4096, tie_word_embeddings=True,
        bos_token_id=None, eos_token_id=1, pad_token_id=0,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    wrapped.save_pretrained(folder)


def run(case: Case, model: Path, folder: Path) -> Outcome:
    """Train a few steps in a worker of its own and read its peak from the kernel.

    Raises:
        RuntimeError: the worker failed; its log is in the message.
    """
    data = folder / "data.jsonl"
    text = (string.ascii_lowercase + " ") * (case.length // 20)
    rows = [{"text": text[: case.length - 1 - (number % 3)]} for number in range(ROWS)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    values = settings(case, model, data)
    attempt = folder / "run" / "attempt-1"
    attempt.mkdir(parents=True)
    (folder / "run" / "spec.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    environment = {**os.environ, "LUTHIER_DEVICE": "cpu", "HF_HUB_OFFLINE": "1",
                   "HF_HOME": str(folder / "hub")}  # fmt: skip
    with (attempt / "output.log").open("wb") as log:
        watched = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _WATCH, sys.executable, "-m",
             "luthier.trainers.launch", str(folder / "run"), "1"],
            stdout=subprocess.PIPE, stderr=log, env=environment, text=True, check=True,
        )  # fmt: skip
    code, kilobytes = map(int, watched.stdout.split())
    if code:
        raise RuntimeError((attempt / "output.log").read_text("utf-8", "replace")[-2000:])
    lengths = Lengths.of([len(row["text"]) + 1 for row in rows])
    spec = build_spec(values, source="benchmark")
    found = quick_estimate(spec, read_shape(model), DeviceFacts(kind="cpu", bf16=False), lengths)
    return Outcome(found, kilobytes * 1024)


def settings(case: Case, model: Path, data: Path) -> dict[str, Any]:
    """The spec of a case."""
    length = "block_size" if case.task == "llm-generic" else "max_length"
    return {
        "task": case.task,
        "model": {"name_or_path": str(model)},
        "data": {"path": str(data), "validation_fraction": 0},
        "training": {
            "max_steps": 2,
            "per_device_train_batch_size": case.batch,
            "gradient_checkpointing": case.checkpointing,
            "optim": case.optimizer,
            "save_strategy": "no",
            length: case.length,
        },
        "peft": {"method": case.method},
        "evaluation": {"strategy": "no", "samples": 0},
        "launch": {"devices": "cpu", "threads": 2, "precision": case.precision, "offline": True},
    }
