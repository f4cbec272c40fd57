"""Real runs of every kind of task on the CPU, beside the exact estimate of their tensors."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from luthier.trainers.estimating.report import ExactEstimate, command, read_reply
from luthier.trainers.events import MemoryEvent, read_events
from luthier.trainers.run_folder import RunFolder

_STACK = {"hidden_size": 384, "intermediate_size": 1536, "num_hidden_layers": 8,
          "num_attention_heads": 6}  # fmt: skip
_WORDS = {**_STACK, "vocab_size": 16000, "max_position_embeddings": 512, "pad_token_id": 0}
_SEEN = {**_STACK, "image_size": 224, "patch_size": 16}


def encoder(folder: Path) -> None:
    """A BERT of 20 million parameters."""
    from transformers import BertConfig, BertModel

    BertModel(BertConfig(**_WORDS)).save_pretrained(folder)
    _tokenizer(folder)


def encoder_decoder(folder: Path) -> None:
    """A T5 of 27 million parameters."""
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(
        vocab_size=16000, d_model=384, d_kv=64, d_ff=1536, num_layers=6, num_heads=6,
        pad_token_id=0, eos_token_id=0, decoder_start_token_id=0,
    )  # fmt: skip
    T5ForConditionalGeneration(config).save_pretrained(folder)
    _tokenizer(folder)


def decoder(folder: Path) -> None:
    """A Llama of 25 million parameters."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        **{**_WORDS, "bos_token_id": None, "eos_token_id": 0}, num_key_value_heads=2
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    _tokenizer(folder)


def picture_encoder(folder: Path) -> None:
    """A ViT of 14 million parameters."""
    from transformers import ViTConfig, ViTImageProcessorPil, ViTModel

    ViTModel(ViTConfig(**_SEEN), add_pooling_layer=False).save_pretrained(folder)
    ViTImageProcessorPil(size={"height": 224, "width": 224}).save_pretrained(folder)


def detector(folder: Path) -> None:
    """A YOLOS of 15 million parameters."""
    from transformers import YolosConfig, YolosForObjectDetection, YolosImageProcessorPil

    size = {"shortest_edge": 256, "longest_edge": 320}
    config = YolosConfig(**{**_SEEN, "image_size": [256, 320]}, use_mid_position_embeddings=False)
    YolosForObjectDetection(config).save_pretrained(folder)
    YolosImageProcessorPil(size=size).save_pretrained(folder)


def seeing(folder: Path) -> None:
    """A LLaVA of 25 million parameters."""
    from transformers import (
        CLIPImageProcessorPil,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    from luthier.trainers.registry import find_task
    from luthier.trainers.tiny.vision_language import llava

    llava(folder, find_task("vlm-captioning").sample)
    small = LlavaProcessor.from_pretrained(folder)
    seen = {**_SEEN, "num_hidden_layers": 4}
    words = {**_STACK, "vocab_size": 8000, "num_key_value_heads": 2, "pad_token_id": 0}
    config = LlavaConfig(
        text_config=LlamaConfig(**words, max_position_embeddings=1024),
        vision_config=CLIPVisionConfig(**seen),
        image_token_id=small.image_token_id,
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
        image_seq_length=196,
    )
    LlavaForConditionalGeneration(config).save_pretrained(folder)
    LlavaProcessor(
        CLIPImageProcessorPil(size={"shortest_edge": 224}, crop_size={"height": 224, "width": 224}),
        small.tokenizer,
        patch_size=16,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=small.chat_template,
    ).save_pretrained(folder)


def _tokenizer(folder: Path) -> None:
    from luthier.trainers.estimating.tasks import tokenizer

    tokenizer().save_pretrained(folder)


@dataclass(frozen=True)
class Case:
    """A run: its task, how its model is made, rows and tokens of a pass, and further settings."""

    task: str
    build: Callable[[Path], None]
    rows: int
    length: int | None = None
    settings: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        tokens = f"x{self.length}" if self.length else ""
        return f"{self.task} {self.rows}{tokens}"


CASES = (
    Case("text-classification", encoder, 8, 192),
    Case("text-regression", encoder, 8, 192, {"peft.method": "lora"}),
    Case("token-classification", encoder, 8, 192),
    Case("extractive-question-answering", encoder, 8, 192, {"training.doc_stride": 32}),
    Case("seq2seq", encoder_decoder, 4, 192, {"training.max_target_length": 128}),
    Case("st-pair", encoder, 8, 96, {"training.distinct_batches": False}),
    Case("image-classification", picture_encoder, 8),
    Case("image-object-detection", detector, 2),
    Case("vlm-captioning", seeing, 2, 300, {"peft.method": "none"}),
    Case("llm-dpo", decoder, 2, 256, {"peft.method": "none"}),
    Case("llm-reward", decoder, 2, 256, {"peft.method": "none"}),
)
"""At least one of each family of tasks."""


@dataclass(frozen=True)
class Outcome:
    """The exact estimate, and the most that the worker added to its resident memory, in bytes."""

    exact: ExactEstimate
    measured: int

    @property
    def error(self) -> float:
        """How far the estimate is above the truth, as a share of it."""
        return self.exact.peak / self.measured - 1


def run(case: Case, folder: Path) -> Outcome:
    """Train three steps in a worker, on rows as long as the estimate takes them to be.

    Raises:
        RuntimeError: the worker failed; its log is in the message.
    """
    case.build(folder / "model")
    place = RunFolder(folder / "run")
    attempt = place.attempt(1)
    attempt.path.mkdir(parents=True)
    place.spec.write_text(yaml.safe_dump(_settings(case, folder)), encoding="utf-8")
    environment = {**os.environ, "LUTHIER_DEVICE": "cpu", "HF_HUB_OFFLINE": "1",
                   "ACCELERATE_USE_CPU": "true", "HF_HOME": str(folder / "hub"),
                   # Freed tensors go back to the kernel, so that only those alive are resident.
                   "MALLOC_MMAP_THRESHOLD_": "131072"}  # fmt: skip
    asked = command(place.spec, device="cpu")
    estimated = subprocess.run(asked, env=environment, capture_output=True, check=False)
    worker = [sys.executable, "-m", "luthier.trainers.launch", str(place.path), "1"]
    with attempt.output.open("wb") as log:
        code = subprocess.run(
            worker, env=environment, stdout=log, stderr=log, check=False
        ).returncode
    if code:
        raise RuntimeError(attempt.output.read_text("utf-8", "replace")[-2000:])
    told = [event for event in read_events(attempt.events) if isinstance(event, MemoryEvent)]
    last = next(event for event in reversed(told) if event.source == "run")
    return Outcome(read_reply(estimated.stdout), last.allocated)


def _settings(case: Case, folder: Path) -> dict[str, Any]:
    from luthier.trainers.estimating.own_way import made_up_rows
    from luthier.trainers.spec.file import build_spec

    values: dict[str, Any] = {
        "task": case.task,
        "model": {"name_or_path": str(folder / "model"), "dtype": "float32"},
        "data": {"path": "nothing", "validation_fraction": 0},
        "training": {
            "max_steps": 2,
            "per_device_train_batch_size": case.rows,
            "gradient_accumulation_steps": 1,
            "save_strategy": "no",
            **({"max_length": case.length} if case.length else {}),
        },
        "evaluation": {"strategy": "no"},
        "launch": {"devices": "cpu", "threads": 2, "precision": "no", "offline": True},
    }
    for key, value in case.settings.items():
        section, _, name = key.partition(".")
        values.setdefault(section, {})[name] = value
    spec: Any = build_spec(values)
    path = made_up_rows(spec, case.rows, case.length or 0, folder)
    return {**values, "data": {"path": str(path), "validation_fraction": 0}}
