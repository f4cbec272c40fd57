"""Rows as a model reads them: pictures with a prompt, and the tokens of the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from PIL import Image
from torch.nn.utils.rnn import pad_sequence

from ..text.writing import IGNORED
from .processor import lays_out

PROMPT = "prompt_"
"""Before the names of a batch's tensors that hold the prompts alone, to write from."""


class Talks:
    """Turns rows into tensors. The values of a row are those of ``vision_language.rows``.

    Args:
        processor: of the model, with a chat template.
        longest: most tokens of a row; of a longer one the end of the answer is cut.
    """

    def __init__(self, processor: Any, longest: int) -> None:
        self.processor = processor
        self._tokenizer = processor.tokenizer
        self._longest = longest
        self._answer_type = 1 if lays_out(processor) else 0
        self._added: dict[tuple[int, int], int] = {}
        known = self._tokenizer.added_tokens_decoder
        self._marks = {number for number, token in known.items() if token.special}

    def prompt(self, values: Mapping[str, Any]) -> str:
        """What the model is asked, as text with marks for the pictures."""
        return self._rendered(_asked(values), add_generation_prompt=True)

    def answer(self, values: Mapping[str, Any]) -> list[int]:
        """The tokens that are learnt, with the one that ends an answer as the last."""
        prompt, asked = self.prompt(values), _asked(values)
        said = {"role": "assistant", "content": [{"type": "text", "text": values["answer"]}]}
        whole = self._rendered([*asked, said], add_generation_prompt=False)
        # A template may change what came before; then the answer is taken as it is.
        text = whole[len(prompt) :] if whole.startswith(prompt) else values["answer"]
        ids: list[int] = self._tokenizer(text.rstrip(), add_special_tokens=False)["input_ids"]
        if ids and ids[-1] in self._marks:
            return ids
        return [*ids, self._tokenizer.eos_token_id]

    @property
    def end(self) -> int:
        """The token that ends an answer."""
        return self.answer({"question": "", "pictures": [None], "answer": "."})[-1]

    def _rendered(self, messages: Sequence[Mapping[str, Any]], **options: Any) -> str:
        text: str = self.processor.apply_chat_template(messages, **options)
        return text

    def prompt_length(self, values: Mapping[str, Any]) -> int:
        """Tokens of the prompt with its pictures, which are not looked at again for it."""
        prompt = self.prompt(values)
        words = len(self._tokenizer(prompt, **self._options(prompt))["input_ids"])
        return words + sum(self._tokens_of(picture.size) for picture in values["pictures"])

    def _tokens_of(self, size: tuple[int, int]) -> int:
        """How many tokens a picture of that size adds to its mark."""
        if size not in self._added:
            blank = {"question": "", "pictures": [None]}
            prompt = self.prompt(blank)
            marked = len(self._tokenizer(prompt, **self._options(prompt))["input_ids"])
            whole = self._processed([prompt], [[Image.new("RGB", size)]])["input_ids"].shape[1]
            self._added[size] = whole - marked
        return self._added[size]

    def prompts(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """The prompts of a batch with their pictures, padded on the left.

        Args:
            rows: values with ``pictures`` that are open, or that have a method to open them.
        """
        pictures = [
            [each if isinstance(each, Image.Image) else each.open() for each in row["pictures"]]
            for row in rows
        ]
        return self._processed([self.prompt(row) for row in rows], pictures)

    def _processed(
        self, prompts: list[str], pictures: list[list[Image.Image]]
    ) -> dict[str, torch.Tensor]:
        found = self.processor(
            text=prompts,
            images=pictures,
            padding=True,
            padding_side="left",
            return_tensors="pt",
            **self._options(prompts[0]),
        )
        # Made by some processors of the prompt, although nothing of it is learnt.
        return {name: value for name, value in found.items() if name != "labels"}

    def _options(self, prompt: str) -> dict[str, Any]:
        """A template that begins with the first token itself must not get it twice."""
        begin = self._tokenizer.bos_token
        return {"add_special_tokens": not (begin and prompt.startswith(begin))}

    def batch(self, rows: Sequence[Mapping[str, Any]], *, keep: bool) -> dict[str, Any]:
        """Prompts and answers, padded on the right; only the answers have labels.

        Args:
            rows: as for ``prompts``.
            keep: the prompts alone are in the batch too, to write from.
        """
        prompts = self.prompts(rows)
        width = prompts["input_ids"].shape
        answers = [torch.tensor(self.answer(row)) for row in rows]
        lying = {name: value for name, value in prompts.items() if value.shape[:2] == width}
        batch: dict[str, Any] = {n: v for n, v in prompts.items() if n not in lying}
        there = prompts["attention_mask"].bool()
        for name, value in lying.items():
            kept = [value[row][there[row]] for row in range(len(rows))]
            joined = [
                torch.cat([row, self._answered(name, row, answer)])[: self._longest]
                for row, answer in zip(kept, answers, strict=True)
            ]
            padding = self._tokenizer.pad_token_id if name == "input_ids" else 0
            batch[name] = pad_sequence(joined, batch_first=True, padding_value=padding)
        labels = batch["input_ids"].clone()
        places = torch.arange(labels.shape[1])
        labels[places < there.sum(1, keepdim=True)] = IGNORED
        labels[batch["attention_mask"] == 0] = IGNORED
        batch["labels"] = labels
        return batch | ({PROMPT + n: v for n, v in lying.items()} if keep else {})

    def _answered(self, name: str, prompt: torch.Tensor, answer: torch.Tensor) -> torch.Tensor:
        """What stands beside an answer's tokens in the tensor of that name."""
        if name == "input_ids":
            return answer.to(prompt.dtype)
        if prompt.dim() > 1:
            # Which pictures a token sees: the answer sees those that the prompt's end does.
            return prompt[-1:].expand(len(answer), *prompt.shape[1:])
        fill = {"attention_mask": 1, "token_type_ids": self._answer_type}.get(name, 0)
        return torch.full_like(answer, fill, dtype=prompt.dtype)


def _asked(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The messages before the answer."""
    if "turns" in values:
        return list(values["turns"])
    marks: list[dict[str, str]] = [{"type": "image"} for _ in values["pictures"]]
    return [{"role": "user", "content": [*marks, {"type": "text", "text": values["question"]}]}]


class TalkCollator:
    """Batches of rows that are named by their numbers; pictures are opened when they are needed.

    Args:
        talks: turns rows into tensors.
        rows: the values of each row, by split.
        keeps_few: whether the model can leave out the scores of places before the answers.
    """

    def __init__(
        self, talks: Talks, rows: Mapping[str, Sequence[Mapping[str, Any]]], *, keeps_few: bool
    ) -> None:
        self._talks = talks
        self._rows = rows
        self._keeps_few = keeps_few

    def __call__(self, items: list[dict[str, Any]]) -> dict[str, Any]:
        """The batch as tensors, with how many of the last places the model is to score."""
        split = items[0]["split"]
        rows = [self._rows[split][item["number"]] for item in items]
        batch = self._talks.batch(rows, keep=split == "validation")
        if self._keeps_few:
            learnt = batch["labels"].ne(IGNORED).any(0).nonzero()
            first = int(learnt[0]) if len(learnt) else 1
            batch["logits_to_keep"] = batch["labels"].shape[1] - first + 1
        return batch
