"""Models that see, of three families: which parts change, and what they answer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from safetensors.torch import load_file as load_tensors
from transformers import AutoModelForImageTextToText

from luthier.trainers.errors import SpecError
from luthier.trainers.events import ErrorEvent, ReportEvent, SampleEvent
from luthier.trainers.registry import find_task
from luthier.trainers.run_folder import RunFolder
from luthier.trainers.spec import ModelSection
from luthier.trainers.tiny.language import byte_tokenizer
from luthier.trainers.vision_language.parts import parts_of
from luthier.trainers.vision_language.processor import load_processor

from ..cards import run_card
from .support import COLOURS, ENOUGH, TASK, drawn, figures


def _moved(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    return {name for name, value in before.items() if not np.array_equal(value, after[name])}


@pytest.mark.parametrize(
    ("family", "parts", "method"),
    [
        ("llava", ["language"], "lora"),
        ("llava", ["projector"], "none"),
        ("idefics3", ["vision", "projector"], "lora"),
        ("paligemma", ["language"], "none"),
    ],
)
def test_the_chosen_parts_change_and_no_others(
    go: Any, models: Callable[[str], Path], family: str, parts: list[str], method: str
) -> None:
    settings = {"peft.method": method, "peft.parts": parts, "evaluation.strategy": "no"}
    done = go(family, **settings)
    base = AutoModelForImageTextToText.from_pretrained(models(family))
    part_of = parts_of(base)
    if method == "none":
        result = AutoModelForImageTextToText.from_pretrained(done.run.model)
        before = {name: value.numpy() for name, value in base.state_dict().items()}
        after = {name: value.numpy() for name, value in result.state_dict().items()}
        changed = {part_of(name) for name in _moved(before, after)}
    else:
        adapter = load_file(done.run.adapter / "adapter_model.safetensors")
        moved = [name for name, value in adapter.items() if "lora_B" in name and np.any(value)]
        assert moved
        changed = {part_of(name.removeprefix("base_model.model.")) for name in adapter}
    assert changed == set(parts)


def test_named_modules_within_the_parts(go: Any) -> None:
    done = go(**{"peft.target_modules": ["q_proj", "v_proj"], "evaluation.strategy": "no"})
    adapter = load_file(done.run.adapter / "adapter_model.safetensors")
    assert {name.split(".lora_")[0].rpartition(".")[2] for name in adapter} == {"q_proj", "v_proj"}
    assert all("language_model" in name for name in adapter)
    failed = go(code=2, **{"peft.target_modules": ["query"]})
    (error,) = failed.of(ErrorEvent)
    assert "no linear module of language is named so; there are down_proj" in error.message


def test_a_model_in_four_bits(go: Any) -> None:
    done = go(
        **{
            "model.load_in_4bit": True,
            "peft.parts": ["language", "vision"],
            "training.gradient_checkpointing": True,
        }
    )
    # Of the type bfloat16, which numpy does not know.
    adapter = load_tensors(done.run.adapter / "adapter_model.safetensors")
    for part in ("language_model", "vision_tower"):
        moved = [bool(v.any()) for n, v in adapter.items() if "lora_B" in n and part in n]
        assert moved
        assert all(moved)


def test_a_row_without_room_for_an_answer_is_refused(go: Any) -> None:
    failed = go(code=2, **{"training.max_length": 20})
    (error,) = failed.of(ErrorEvent)
    assert "pictures and question alone have 20 tokens or more" in error.message
    assert "train.jsonl lines" in error.message


def test_models_that_cannot_see_are_refused(
    go: Any, tmp_path: Path, workshop: Any, models: Callable[[str], Path]
) -> None:
    failed = go(code=2, **{"model.name_or_path": str(workshop.model)})
    (error,) = failed.of(ErrorEvent)
    assert "has no processor for pictures with words" in error.message
    failed = go("idefics3", code=2, **{"model.chat_template": "gone.jinja"})
    (error,) = failed.of(ErrorEvent)
    assert "'gone.jinja' is not the path of a .jinja file" in error.message


@pytest.mark.parametrize("kind", ["Qwen2VL", "SmolVLM", "LlavaOnevision"])
def test_a_processor_that_needs_torchvision_says_so(tmp_path: Path, kind: str) -> None:
    from transformers.utils import is_torchvision_available

    if is_torchvision_available():
        pytest.skip("torchvision is installed here")
    byte_tokenizer(TASK.sample).save_pretrained(tmp_path)
    names = {"Qwen2VL": "qwen2_vl", "SmolVLM": "smolvlm", "LlavaOnevision": "llava_onevision"}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": names[kind]}))
    processor = {
        "processor_class": f"{kind}Processor",
        "image_processor_type": f"{kind}ImageProcessor",
    }
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(processor))
    with pytest.raises(SpecError, match="needs torchvision, which is not installed: pip install"):
        load_processor(ModelSection(name_or_path=str(tmp_path)))


def test_weighted_rows_count_as_often_as_they_weigh(go: Any, tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    folder.mkdir()
    rows = [{**row, "weight": 3.0 if n % 4 == 0 else 1.0} for n, row in enumerate(drawn(folder, 8))]
    repeated = [row for row in rows for _ in range(int(row["weight"]))]
    settings = {
        "data.validation_fraction": 0,
        "evaluation.strategy": "no",
        "training.max_steps": 1,
        "training.per_device_train_batch_size": 16,
        "peft.method": "none",
    }
    losses = [
        figures(go(rows=chosen, **settings, **more))["train_loss"]
        for chosen, more in ((rows, {"data.weight_column": "weight"}), (repeated, {}))
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_a_step_is_the_same_in_pieces(go: Any) -> None:
    settings = {
        "data.validation_fraction": 0,
        "evaluation.strategy": "no",
        "training.max_steps": 1,
        "peft.method": "none",
    }
    losses = []
    for size, pieces in ((8, 1), (2, 4)):
        batch = {
            "training.per_device_train_batch_size": size,
            "training.gradient_accumulation_steps": pieces,
        }
        losses.append(figures(go(**settings, **batch))["train_loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


@pytest.mark.parametrize(
    ("family", "method"), [("llava", "none"), ("idefics3", "lora"), ("paligemma", "dora")]
)
def test_resumed_equals_uninterrupted(go: Any, workshop: Any, family: str, method: str) -> None:
    whole = go(
        family,
        **{
            "training.max_steps": 6,
            "training.save_steps": 3,
            "training.train_sampling_strategy": "group_by_length",
            "training.gradient_checkpointing": True,
            "peft.method": method,
            "peft.lora_dropout": 0.1,
            "evaluation.strategy": "steps",
            "evaluation.steps": 3,
            "evaluation.load_best_model_at_end": True,
        },
    )
    # As a kill before the end leaves it.
    cut = RunFolder(whole.run.path.with_name("cut"))
    shutil.copytree(whole.run.path, cut.path)
    name = "model" if method == "none" else "adapter"
    shutil.rmtree(cut.artifacts / name)
    shutil.rmtree(cut.checkpoints / "checkpoint-6")
    again = workshop.attempt(cut, 2)
    assert again.code == 0, [event for event in again.events if event.kind == "error"]
    assert json.loads(cut.provenance.read_text())["resumed_from"] == "checkpoint-3"
    (expected,) = [load_file(path) for path in (whole.run.artifacts / name).glob("*.safetensors")]
    (found,) = [load_file(path) for path in (cut.artifacts / name).glob("*.safetensors")]
    assert expected.keys() == found.keys()
    assert _moved(expected, found) == set()
    assert figures(again)["eval_loss"] == figures(whole)["eval_loss"]


def test_chats_with_several_pictures(go: Any, tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    folder.mkdir()
    pictures = drawn(folder, 12)
    rows = []
    for row, other in zip(pictures, pictures[::-1], strict=True):
        ask = [{"type": "image"}, {"type": "text", "text": "or "}, {"type": "image"}]
        messages = [
            {"role": "user", "content": ask},
            {"role": "assistant", "content": "Which of them?"},
            {"role": "user", "content": "The first."},
            {"role": "assistant", "content": row["answer"]},
        ]
        rows.append({"image": [row["image"], other["image"]], "messages": messages})
    done = go("idefics3", rows=rows, **ENOUGH)
    assert figures(done)["eval_loss"] > 0
    (sample, *_) = done.of(SampleEvent)
    assert sample.prompt == "The first."
    assert sample.expected in COLOURS
    predictor = TASK.imported("predict")(done.run, "cpu")
    pictures = [str(folder / "0.png"), str(folder / "1.png")]
    (answer,) = predictor.predict([{"image": pictures, "question": "The first."}])
    assert list(answer) == ["answer"]
    (shown, *_) = json.loads(done.run.preflight.read_text(encoding="utf-8"))["sample_inputs"]
    (answer,) = predictor.predict([shown])
    assert answer["answer"]
    assert run_card(done.run.adapter).strip() == answer["answer"]


def test_captions_are_measured_and_merged(go: Any, tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    folder.mkdir()
    rows = [
        {"image": row["image"], "caption": f"a {row['answer']} square"} for row in drawn(folder, 16)
    ]
    instruction = "Say what you see."
    settings = {"data.instruction": instruction, "output.merge_adapter": True}
    done = go("paligemma", "vlm-captioning", rows, **settings, **ENOUGH)
    measured = figures(done)
    known = {name for name in find_task("vlm-captioning").metrics if name in measured}
    assert known == set(find_task("vlm-captioning").metrics)
    assert {event.name for event in done.of(ReportEvent)} == {"worst"}
    assert {event.prompt for event in done.of(SampleEvent)} == {instruction}
    predictor = find_task("vlm-captioning").imported("predict")(done.run, "cpu")
    (row, *_) = json.loads(done.run.preflight.read_text(encoding="utf-8"))["sample_inputs"]
    (adapted,) = predictor.predict([row])
    assert adapted["caption"]
    assert run_card(done.run.adapter).strip() == adapted["caption"]
    assert run_card(done.run.model).strip() == adapted["caption"]
    done.run.adapter.rename(tmp_path / "adapter")
    merged = find_task("vlm-captioning").imported("predict")(done.run, "cpu")
    assert merged.predict([row]) == [adapted]


@pytest.mark.parametrize(
    "family",
    [
        "llava",
        pytest.param("idefics3", marks=pytest.mark.slow),
        pytest.param("paligemma", marks=pytest.mark.slow),
    ],
)
def test_colours_are_learnt(go: Any, tmp_path: Path, family: str) -> None:
    folder = tmp_path / "rows"
    folder.mkdir()
    done = go(
        family,
        rows=drawn(folder, 200),
        **{
            "training.max_steps": 80,
            "training.per_device_train_batch_size": 16,
            "training.warmup_steps": 0.1,
            "peft.method": "none",
            "peft.parts": ["language", "projector", "vision"],
            "evaluation.strategy": "steps",
            "evaluation.steps": 80,
            "evaluation.per_device_eval_batch_size": 48,
        },
    )
    # One of four is right by chance.
    assert figures(done)["eval_exact_match"] >= 90
    predictor = TASK.imported("predict")(done.run, "cpu")
    new = tmp_path / "new"
    new.mkdir()
    rows = drawn(new, 8, seed=7)
    asked = [{"image": str(new / row["image"]), "question": row["question"]} for row in rows]
    found = [answer["answer"] for answer in predictor.predict(asked)]
    assert sum(f == row["answer"] for f, row in zip(found, rows, strict=True)) >= 7
