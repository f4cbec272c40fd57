"""Models that see, of three families: what is learnt, which parts change, and what they answer."""

from __future__ import annotations

import contextlib
import io
import json
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.numpy import load_file
from safetensors.torch import load_file as load_tensors
from transformers import AutoModelForImageTextToText

from luthier.trainers.errors import SpecError
from luthier.trainers.events import DoneEvent, ErrorEvent, ReportEvent, SampleEvent
from luthier.trainers.registry import find_task
from luthier.trainers.run_folder import RunFolder
from luthier.trainers.spec import ModelSection
from luthier.trainers.tiny import vision_language as tiny
from luthier.trainers.tiny.language import byte_tokenizer
from luthier.trainers.vision_language.parts import parts_of
from luthier.trainers.vision_language.processor import load_processor
from luthier.trainers.vision_language.talks import PROMPT, TalkCollator, Talks

_FAMILIES = ["llava", "idefics3", "paligemma"]
_TASK = find_task("vlm-vqa")
_COLOURS = {"red": (220, 40, 40), "green": (40, 160, 60), "blue": (40, 80, 220), "black": (0, 0, 0)}


# After so many steps the adapter of a random model writes something.
_ENOUGH = {"training.max_steps": 30, "training.learning_rate": 0.01, "peft.r": 32}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Builds the tiny model of a family once."""
    folder = tmp_path_factory.mktemp("families")

    def build(family: str) -> Path:
        target = folder / family
        if not target.exists():
            getattr(tiny, family)(target, _TASK.sample)
        return target

    return build


@pytest.fixture
def go(workshop: Any, tmp_path: Path, models: Callable[[str], Path]) -> Any:
    """Trains on drawn pictures, or on the rows given; returns the outcome."""

    def train(
        family: str = "llava",
        task: str = "vlm-vqa",
        rows: list[dict[str, Any]] | None = None,
        code: int = 0,
        **changes: Any,
    ) -> Any:
        data = tmp_path / "rows"
        data.mkdir(exist_ok=True)
        rows = _drawn(data, 24) if rows is None else rows
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (data / "train.jsonl").write_text(text, encoding="utf-8")
        quick = {
            "training.learning_rate": 0.003,
            "training.max_steps": 2,
            "training.per_device_train_batch_size": 4,
            "training.gradient_accumulation_steps": 1,
            "evaluation.max_new_tokens": 6,
        }
        return workshop.train(task, models(family), data, {**quick, **changes}, code)

    return train


def _drawn(folder: Path, count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Squares somewhere on white, and the question for their colour."""
    chance = random.Random(seed)
    rows = []
    for number in range(count):
        colour = chance.choice(list(_COLOURS))
        image = Image.new("RGB", (32, 32), "white")
        side = chance.randint(12, 18)
        x, y = chance.randint(0, 31 - side), chance.randint(0, 31 - side)
        ImageDraw.Draw(image).rectangle((x, y, x + side, y + side), fill=_COLOURS[colour])
        image.putpixel((31, 31), (number % 256, number // 256, 0))
        image.save(folder / f"{number}.png")
        rows.append({"image": f"{number}.png", "question": "What colour?", "answer": colour})
    return rows


def _values(question: str, answer: str, *sizes: tuple[int, int]) -> dict[str, Any]:
    pictures = [Image.new("RGB", size, "red") for size in sizes]
    return {"question": question, "answer": answer, "pictures": pictures}


# Differing lengths, sizes and numbers of pictures in one batch.
_BATCH = [
    _values("Why?", "because it is so", (32, 32)),
    _values("What colour is the boat?", "red", (32, 32), (70, 30)),
    _values("Where is it?", "at sea", (20, 64)),
]


def _card_says(folder: Path) -> str:
    """What the code of a result's card prints."""
    card = (folder / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", card, flags=re.DOTALL)
    said = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(said):
        exec(compile(code, "README.md", "exec"), {})
    return said.getvalue().strip()


def _figures(outcome: Any) -> dict[str, float]:
    figures: dict[str, float] = outcome.of(DoneEvent)[0].metrics
    return figures


def _talks(folder: Path, longest: int = 2048) -> Talks:
    return Talks(load_processor(ModelSection(name_or_path=str(folder))), longest)


@pytest.mark.parametrize("family", _FAMILIES)
def test_only_answers_are_learnt(models: Callable[[str], Path], family: str) -> None:
    talks = _talks(models(family))
    tokenizer = talks.processor.tokenizer
    batch = talks.batch(_BATCH, keep=True)
    image = tokenizer.convert_tokens_to_ids("<image>")
    for row, values in enumerate(_BATCH):
        ids, labels = batch["input_ids"][row], batch["labels"][row]
        there = batch["attention_mask"][row].bool()
        learnt = labels.ne(-100)
        # The marks of every picture are there, and none of them is learnt.
        marks = int(ids.eq(image).sum())
        assert marks >= 4 * len(values["pictures"])
        assert not (learnt & ids.eq(image)).any()
        assert not (learnt & ~there).any()
        # What is learnt is the answer and its end, at the end of the row, and nothing else.
        assert torch.equal(labels[learnt], ids[learnt])
        written = tokenizer.decode(labels[learnt])
        assert written.strip() == f"{values['answer']}{tokenizer.eos_token}"
        assert learnt[there].tolist() == [False] * int((there & ~learnt).sum()) + [True] * int(
            learnt.sum()
        )
        # The prompt to write from is the row without its answer.
        prompt = batch[f"{PROMPT}input_ids"][row][batch[f"{PROMPT}attention_mask"][row].bool()]
        assert torch.equal(prompt, ids[there & ~learnt])
        # PaliGemma reads in both directions what has type 0.
        if "token_type_ids" in batch:
            assert torch.equal(batch["token_type_ids"][row].bool(), learnt)


@pytest.mark.parametrize("family", _FAMILIES)
def test_the_prompt_decides_alone_what_is_written(
    models: Callable[[str], Path], family: str
) -> None:
    # Scores of an answer do not depend on the padding around its row, nor on leaving others out.
    talks = _talks(models(family))
    model = AutoModelForImageTextToText.from_pretrained(models(family)).eval()
    collate = TalkCollator(talks, {"train": _BATCH}, keeps_few=True)
    together = collate([{"split": "train", "number": number} for number in range(3)])
    whole = _scores(model, together)
    for number in range(3):
        alone = _scores(model, collate([{"split": "train", "number": number}]))
        assert torch.allclose(alone[0], whole[number], atol=1e-4)


@torch.no_grad()
def _scores(model: Any, batch: dict[str, Any]) -> list[torch.Tensor]:
    labels = batch["labels"]
    kept = batch["logits_to_keep"]
    inputs = {n: v for n, v in batch.items() if n != "labels" and not n.startswith(PROMPT)}
    logits = model(**inputs).logits
    assert logits.shape[1] == kept
    targets = labels[:, 1 - kept :]
    assert targets.ne(-100).sum() == labels.ne(-100).sum()
    return [row[:-1][learnt.ne(-100)] for row, learnt in zip(logits, targets, strict=True)]


@pytest.mark.parametrize("family", _FAMILIES)
def test_lengths_are_known_without_the_pictures(models: Callable[[str], Path], family: str) -> None:
    talks = _talks(models(family))
    for values in (_BATCH[0], _BATCH[2]):
        known = talks.prompt_length(values)
        assert known == talks.prompts([values])["input_ids"].shape[1]


def test_a_long_answer_loses_its_end(models: Callable[[str], Path]) -> None:
    whole = _talks(models("llava")).batch(_BATCH[:1], keep=False)
    length = whole["input_ids"].shape[1]
    cut = _talks(models("llava"), length - 2).batch(_BATCH[:1], keep=False)
    assert torch.equal(cut["input_ids"], whole["input_ids"][:, :-2])
    assert int(cut["labels"].ne(-100).sum()) == int(whole["labels"].ne(-100).sum()) - 2


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
    byte_tokenizer(_TASK.sample).save_pretrained(tmp_path)
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
    rows = [
        {**row, "weight": 3.0 if n % 4 == 0 else 1.0} for n, row in enumerate(_drawn(folder, 8))
    ]
    repeated = [row for row in rows for _ in range(int(row["weight"]))]
    settings = {
        "data.validation_fraction": 0,
        "evaluation.strategy": "no",
        "training.max_steps": 1,
        "training.per_device_train_batch_size": 16,
        "peft.method": "none",
    }
    losses = [
        _figures(go(rows=chosen, **settings, **more))["train_loss"]
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
        losses.append(_figures(go(**settings, **batch))["train_loss"])
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
    assert _figures(again)["eval_loss"] == _figures(whole)["eval_loss"]


def test_chats_with_several_pictures(go: Any, tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    folder.mkdir()
    drawn = _drawn(folder, 12)
    rows = []
    for row, other in zip(drawn, drawn[::-1], strict=True):
        ask = [{"type": "image"}, {"type": "text", "text": "or "}, {"type": "image"}]
        messages = [
            {"role": "user", "content": ask},
            {"role": "assistant", "content": "Which of them?"},
            {"role": "user", "content": "The first."},
            {"role": "assistant", "content": row["answer"]},
        ]
        rows.append({"image": [row["image"], other["image"]], "messages": messages})
    done = go("idefics3", rows=rows, **_ENOUGH)
    assert _figures(done)["eval_loss"] > 0
    (sample, *_) = done.of(SampleEvent)
    assert sample.prompt == "The first."
    assert sample.expected in _COLOURS
    predictor = _TASK.imported("predict")(done.run, "cpu")
    pictures = [str(folder / "0.png"), str(folder / "1.png")]
    (answer,) = predictor.predict([{"image": pictures, "question": "The first."}])
    assert list(answer) == ["answer"]
    (shown, *_) = json.loads(done.run.preflight.read_text(encoding="utf-8"))["sample_inputs"]
    (answer,) = predictor.predict([shown])
    assert answer["answer"]
    assert _card_says(done.run.adapter) == answer["answer"]


def test_captions_are_measured_and_merged(go: Any, tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    folder.mkdir()
    rows = [
        {"image": row["image"], "caption": f"a {row['answer']} square"}
        for row in _drawn(folder, 16)
    ]
    instruction = "Say what you see."
    settings = {"data.instruction": instruction, "output.merge_adapter": True}
    done = go("paligemma", "vlm-captioning", rows, **settings, **_ENOUGH)
    figures = _figures(done)
    known = {name for name in find_task("vlm-captioning").metrics if name in figures}
    assert known == set(find_task("vlm-captioning").metrics)
    assert {event.name for event in done.of(ReportEvent)} == {"worst"}
    assert {event.prompt for event in done.of(SampleEvent)} == {instruction}
    predictor = find_task("vlm-captioning").imported("predict")(done.run, "cpu")
    (row, *_) = json.loads(done.run.preflight.read_text(encoding="utf-8"))["sample_inputs"]
    (adapted,) = predictor.predict([row])
    assert adapted["caption"]
    assert _card_says(done.run.adapter) == adapted["caption"]
    assert _card_says(done.run.model) == adapted["caption"]
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
        rows=_drawn(folder, 200),
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
    assert _figures(done)["eval_exact_match"] >= 90
    predictor = _TASK.imported("predict")(done.run, "cpu")
    new = tmp_path / "new"
    new.mkdir()
    rows = _drawn(new, 8, seed=7)
    asked = [{"image": str(new / row["image"]), "question": row["question"]} for row in rows]
    found = [answer["answer"] for answer in predictor.predict(asked)]
    assert sum(f == row["answer"] for f, row in zip(found, rows, strict=True)) >= 7
