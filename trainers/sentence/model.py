"""Sentence transformers: loaded as the spec says, and given texts as token ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling

from ..engine.column_trainer import WEIGHTS
from ..engine.models import load_options, not_repacked, placing
from ..engine.pipeline import Setup
from ..errors import Problem, SpecError
from .settings import SentenceSpec

_IDS = "_input_ids"
_AT_ONCE = 256
# Their first positions are no tokens'.
_TWO_LESS = ("roberta", "xlm-roberta", "camembert", "mpnet")


def load_embedder(spec: SentenceSpec, setup: Setup) -> SentenceTransformer:
    """The sentence transformer, or one built around a plain model.

    Raises:
        SpecError: it takes no texts, or its vectors are shorter than the spec wants to cut them.
    """
    section, training = spec.model, spec.training
    options = load_options(section)
    revision, trusted = options.pop("revision"), options.pop("trust_remote_code")
    # transformers itself takes the safetensors where there are any.
    del options["use_safetensors"]
    model = SentenceTransformer(
        section.name_or_path,
        device="cuda" if setup.device == "cuda" else "cpu",
        revision=revision,
        trust_remote_code=trusted,
        model_kwargs={**options, **placing(section, setup.precision, setup.device)},
        # What is trained is the angle between vectors, whatever the base was compared by.
        similarity_fn_name="cosine",
    )
    if model.transformers_model is None or not model.supports("text"):
        raise SpecError([Problem("is not a model of texts", "model.name_or_path")])
    not_repacked(model)
    _leave_out_pooler(model)
    model.max_seq_length = _fitting(model, training.max_length)
    if training.pooling is not None:
        _set_pooling(model, training.pooling)
    width = model.get_embedding_dimension()
    longest = max(training.matryoshka_dims, default=0)
    if width is not None and longest > width:
        text = f"{longest} is longer than the model's vectors, which have {width} numbers"
        raise SpecError([Problem(text, "training.matryoshka_dims")])
    return model


def _fitting(model: SentenceTransformer, length: int) -> int:
    """The length, or the model's longest where that is shorter."""
    most = getattr(model.config, "max_position_embeddings", None)
    if not isinstance(most, int) or most <= 0:
        return length
    return min(length, most - 2 if model.config.model_type in _TWO_LESS else most)


def _leave_out_pooler(model: SentenceTransformer) -> None:
    """Freeze the layer behind a model's first token, of which nothing reaches the vectors.

    Several processes would wait for its gradients for ever.
    """
    pooler = getattr(model.transformers_model, "pooler", None)
    if pooler is not None and getattr(model[0], "module_output_name", "") == "token_embeddings":
        pooler.requires_grad_(False)


def _set_pooling(model: SentenceTransformer, mode: Any) -> None:
    for module in model:
        if isinstance(module, Pooling):
            module.pooling_mode = mode
            module.pooling_output_dimension = module.embedding_dimension
            return
    raise SpecError([Problem("the model pools in a way of its own", "training.pooling")])


def token_columns(
    model: SentenceTransformer, texts: Mapping[str, Sequence[str]], prompts: Mapping[str, str]
) -> dict[str, list[list[int]]]:
    """The columns of texts as columns of token ids, cut, as the model itself makes them.

    Args:
        texts: by column.
        prompts: what is put before the texts of a column.
    """
    columns: dict[str, list[list[int]]] = {}
    for name, values in texts.items():
        rows: list[list[int]] = []
        for start in range(0, len(values), _AT_ONCE):
            chunk = list(values[start : start + _AT_ONCE])
            found = model.preprocess(chunk, prompt=prompts.get(name) or None)
            rows += [
                ids[kept.bool()].tolist()
                for ids, kept in zip(found["input_ids"], found["attention_mask"], strict=True)
            ]
        columns[f"{name}{_IDS}"] = rows
    return columns


def row_lengths(dataset: Dataset) -> list[int]:
    """Tokens of each row, all its texts together."""
    names = [name for name in dataset.column_names if name.endswith(_IDS)]
    columns = [dataset[name] for name in names]
    return [sum(map(len, row)) for row in zip(*columns, strict=True)]


class TextsCollator:
    """Pads each column of token ids to the longest of the batch, as the library's losses take it.

    Args:
        tokenizer: the model's.
        prompt_lengths: tokens before the texts of a column, which some models do not pool.
    """

    valid_label_columns = ("label", WEIGHTS)

    def __init__(self, tokenizer: Any, prompt_lengths: Mapping[str, int]) -> None:
        self._tokenizer = tokenizer
        self._prompt_lengths = prompt_lengths

    def __call__(self, items: list[dict[str, Any]]) -> dict[str, Any]:
        """The batch: ``{column}_input_ids``, ``{column}_attention_mask``, and ``label``.

        Rows with weights have pairs of both as their label.
        """
        batch: dict[str, Any] = {}
        for column in items[0]:
            if not column.endswith(_IDS):
                continue
            name = column.removesuffix(_IDS)
            rows = [{"input_ids": item[column]} for item in items]
            for key, value in self._tokenizer.pad(rows, return_tensors="pt").items():
                batch[f"{name}_{key}"] = value
            if name in self._prompt_lengths:
                batch[f"{name}_prompt_length"] = self._prompt_lengths[name]
        if WEIGHTS in items[0]:
            batch["label"] = torch.tensor([[i.get("label", 0), i[WEIGHTS]] for i in items])
        elif "label" in items[0]:
            batch["label"] = torch.tensor([item["label"] for item in items])
        return batch


def prompt_lengths(model: SentenceTransformer, prompts: Mapping[str, str]) -> dict[str, int]:
    """How many tokens each prompt has, where the model leaves them out of what it pools."""
    if all(module.include_prompt for module in model if isinstance(module, Pooling)):
        return {}
    return {
        name: int(model.preprocess(["a"], prompt=prompt)["prompt_length"])
        for name, prompt in prompts.items()
        if prompt
    }
