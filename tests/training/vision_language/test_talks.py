"""What a model that sees is told, and which of it it learns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText

from luthier.trainers.spec import ModelSection
from luthier.trainers.vision_language.processor import load_processor
from luthier.trainers.vision_language.talks import PROMPT, TalkCollator, Talks

from .support import FAMILIES


def _values(question: str, answer: str, *sizes: tuple[int, int]) -> dict[str, Any]:
    pictures = [Image.new("RGB", size, "red") for size in sizes]
    return {"question": question, "answer": answer, "pictures": pictures}


# Differing lengths, sizes and numbers of pictures in one batch.
_BATCH = [
    _values("Why?", "because it is so", (32, 32)),
    _values("What colour is the boat?", "red", (32, 32), (70, 30)),
    _values("Where is it?", "at sea", (20, 64)),
]


def _talks(folder: Path, longest: int = 2048) -> Talks:
    return Talks(load_processor(ModelSection(name_or_path=str(folder))), longest)


@pytest.mark.parametrize("family", FAMILIES)
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


@pytest.mark.parametrize("family", FAMILIES)
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


@pytest.mark.parametrize("family", FAMILIES)
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
