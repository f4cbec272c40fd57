"""Rows as the model sees them, against TRL's own preparation with a real tokenizer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import SFTConfig, SFTTrainer

from luthier.trainers.data import Example, build_examples, preflight, read_dataset
from luthier.trainers.data.inspect import inspect_dataset, inspect_spec
from luthier.trainers.data.rendering import (
    RenderSettings,
    blocks,
    token_lengths,
    tokenise,
)
from luthier.trainers.data.segments import token_segments
from luthier.trainers.errors import DataError, LuthierError

pytestmark = pytest.mark.training

PLAIN = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
MARKED = (
    "{% for m in messages %}<|{{ m['role'] }}|>{% if m['role'] == 'assistant' %}"
    "{% generation %}{{ m['content'] }}<|end|>\n{% endgeneration %}"
    "{% else %}{{ m['content'] }}<|end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
FORGETFUL = (
    "{% for m in messages %}{% if m['role'] != 'assistant' or loop.last %}"
    "<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
STRICT = (
    "{% if messages[0]['role'] != 'user' %}"
    "{{ raise_exception('chats must begin with the user') }}{% endif %}" + PLAIN
)


def tokenizer_with(template: str | None, *, end: str | None = "</s>") -> Any:
    """A byte-level tokenizer that begins plain texts with <s>, as Llama's does."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    special = ["<s>", "</s>", "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>", "<|end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(["the top of a violin is spruce. What wood? Größe 10 €"], trainer)
    core.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", core.token_to_id("<s>"))]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token="<s>",
        eos_token=end,
        pad_token="</s>",
        additional_special_tokens=special[2:],
    )
    tokenizer.chat_template = template
    return tokenizer


def prepared_by_trl(
    examples: Sequence[Example], tokenizer: Any, folder: Path, **options: Any
) -> list[dict[str, list[int]]]:
    """The rows as SFTTrainer itself would train on them."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
    )
    bare = [{key: example[key] for key in example if key != "where"} for example in examples]  # type: ignore[literal-required]
    trainer = SFTTrainer(
        model=LlamaForCausalLM(config),
        args=SFTConfig(output_dir=str(folder), report_to=[], use_cpu=True, **options),
        train_dataset=datasets.Dataset.from_list(bare),
        processing_class=tokenizer,
    )
    return [
        {"input_ids": row["input_ids"], "labels": row["labels"]} for row in trainer.train_dataset
    ]


def prepared_here(
    examples: Sequence[Example], tokenizer: Any, *, max_length: int = 1024, **options: Any
) -> list[dict[str, list[int]]]:
    rows = tokenise(examples, tokenizer, RenderSettings(**options))
    return [
        {"input_ids": tokens.ids, "labels": tokens.labels}
        for row in rows
        if (tokens := row.cut(max_length)) is not None
    ]


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def said(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


TEXTS: list[Example] = [{"text": "Größe: 10 €"}, {"text": "the top</s>"}, {"text": "wood"}]
PAIRS: list[Example] = [
    {"prompt": "What wood?", "completion": " spruce"},
    # These merge over the border, so the completion begins earlier than the prompt ends.
    {"prompt": "the to", "completion": "p of a violin"},
    {"prompt": "long " * 20, "completion": "never seen"},
    {"prompt": "the violin\n", "completion": "spruce</s>"},
]
CHAT_PAIRS: list[Example] = [
    {"prompt": [user("What wood?")], "completion": [said("spruce")]},
    {
        "prompt": [user("What wood?"), said("spruce"), user("Größe?")],
        "completion": [said("10 €")],
    },
]
CHATS: list[Example] = [
    {"messages": [user("What wood?"), said("spruce"), user("Größe?"), said("10 €")]},
    {"messages": [{"role": "system", "content": "Be short."}, user("a"), said("the top")]},
]


@pytest.mark.parametrize(
    ("examples", "template", "options"),
    [
        (TEXTS, PLAIN, {}),
        (TEXTS, None, {"max_length": 8}),
        (PAIRS, None, {}),
        (PAIRS, None, {"completion_only_loss": False}),
        (PAIRS, PLAIN, {"max_length": 12}),
        (CHAT_PAIRS, PLAIN, {}),
        (CHAT_PAIRS, MARKED, {"completion_only_loss": False}),
        (CHAT_PAIRS, MARKED, {"assistant_only_loss": True}),
        (CHAT_PAIRS, MARKED, {"assistant_only_loss": True, "completion_only_loss": False}),
        (CHATS, PLAIN, {}),
        (CHATS, MARKED, {"assistant_only_loss": True}),
        (CHATS, MARKED, {"assistant_only_loss": True, "max_length": 16}),
    ],
)
def test_rows_are_what_trl_makes_of_them(
    examples: list[Example], template: str | None, options: dict[str, Any], tmp_path: Path
) -> None:
    tokenizer = tokenizer_with(template)
    expected = prepared_by_trl(examples, tokenizer, tmp_path, **options)
    assert prepared_here(examples, tokenizer, **options) == expected
    assert expected


def test_turns_are_found_without_marks_in_the_template() -> None:
    by_marks, by_beginnings = (
        list(tokenise(CHATS, tokenizer_with(template), RenderSettings(assistant_only_loss=True)))
        for template in (MARKED, PLAIN)
    )
    assert by_beginnings == by_marks


def located(examples: Sequence[Example]) -> list[Example]:
    return [
        {**example, "where": f"a.jsonl line {number}"}
        for number, example in enumerate(examples, start=1)
    ]


@pytest.mark.parametrize(
    ("template", "assistant_only", "sentence"),
    [
        (
            FORGETFUL,
            True,
            "a.jsonl line 1: the chat template refuses the row: it writes earlier turns "
            "differently once later ones follow; set training.assistant_only_loss to false or "
            "put {% generation %} marks into it",
        ),
        (
            STRICT,
            False,
            "a.jsonl line 2: the chat template refuses the row: chats must begin with the user",
        ),
        (
            STRICT,
            True,
            "a.jsonl line 2: the chat template refuses the row: chats must begin with the user",
        ),
    ],
)
def test_rows_that_the_template_refuses_are_named(
    template: str, assistant_only: bool, sentence: str
) -> None:
    rows = tokenise(located(CHATS), tokenizer_with(template), RenderSettings(None, assistant_only))
    assert len(next(rows).ids) > 0
    with pytest.raises(DataError) as caught:
        list(rows)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("examples", "tokenizer", "sentence"),
    [
        (CHATS, {"template": None}, "The rows are chats, but the tokenizer has no chat template."),
        (TEXTS, {"template": None, "end": None}, "The tokenizer has no end token (eos_token)"),
    ],
)
def test_a_tokenizer_that_cannot_do_it(
    examples: list[Example], tokenizer: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(LuthierError) as caught:
        list(tokenise(located(examples), tokenizer_with(**tokenizer), RenderSettings()))
    assert str(caught.value).startswith(sentence)


TOKENIZER = tokenizer_with(MARKED)
SPOKEN = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(turns=st.lists(SPOKEN, min_size=2, max_size=6))
def test_segments_are_the_decoded_row_and_mark_what_is_learnt(turns: list[str]) -> None:
    roles = [user, said] * 3
    chat = [role(text) for role, text in zip(roles, turns, strict=False)]
    example: Example = {"messages": chat, "where": "a.jsonl line 1"}
    (row,) = tokenise([example], TOKENIZER, RenderSettings(assistant_only_loss=True))
    segments = token_segments(row, TOKENIZER)
    assert "".join(segment.text for segment in segments) == TOKENIZER.decode(row.ids)
    learnt = [segment.text for segment in segments if segment.trained]
    assert learnt == [f"{text}<|end|>\n" for text in turns[1::2]]


@given(
    lengths=st.lists(st.integers(0, 20), max_size=10),
    size=st.integers(2, 12),
)
def test_blocks_hold_every_token_in_order(lengths: list[int], size: int) -> None:
    numbers = iter(range(1000))
    examples: list[Example] = [
        {"text": "".join("x" for _ in range(length)), "where": "a row 1"} for length in lengths
    ]
    rows = list(tokenise(examples, TOKENIZER, RenderSettings(add_eos=False)))
    for row in rows:
        row.ids[:] = [next(numbers) for _ in row.ids]
    made = list(blocks(rows, size))
    joined = [token for block in made for token in block]
    whole = [token for row in rows for token in row.ids]
    assert joined in (whole, whole[:-1])
    assert all(len(block) == size for block in made[:-1])
    assert all(2 <= len(block) <= size for block in made[-1:])


def test_long_and_refused_rows_are_found_by_the_check(tmp_path: Path) -> None:
    rows = [{"prompt": f"{number} ", "completion": "x " * number} for number in range(1, 31)]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    overrides = ["training.max_length=40", "data.validation_fraction=0"]
    spec = inspect_spec(str(path), overrides=overrides)
    tokenizer, chosen = tokenizer_with(None), RenderSettings.of(spec)
    report = preflight(
        read_dataset(spec.data), spec, token_lengths(tokenizer, chosen), as_chat=False
    )
    assert report.train.lengths is not None
    assert report.train.lengths.unit == "tokens"
    too_long = [
        index
        for index, tokens in enumerate(
            tokenise(build_examples(read_dataset(spec.data).train, spec.data), tokenizer, chosen)
        )
        if len(tokens.ids) > 40
    ]
    assert 0 < report.train.too_long == len(too_long) < 30
    (warning,) = report.warnings
    assert f"{len(too_long)} of 30 rows" in warning.message

    odd = tmp_path / "odd.jsonl"
    odd.write_text(json.dumps({"messages": [said("a"), user("b"), said("c")]}))
    spec = inspect_spec(str(odd), overrides=["data.validation_fraction=0"])
    measure = token_lengths(tokenizer_with(STRICT), RenderSettings.of(spec))
    with pytest.raises(DataError, match=r"odd\.jsonl line 1: the chat template refuses the row"):
        preflight(read_dataset(spec.data), spec, measure, as_chat=True)


def test_report_of_the_same_rows_with_and_without_a_tokenizer(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps({"prompt": f"{n} ", "completion": "x"}) for n in range(9)))
    spec = inspect_spec(str(path))
    bare, seen = inspect_dataset(spec), inspect_dataset(spec, tokenizer_with(None))
    assert bare.fingerprint == seen.fingerprint
    assert [row.where for row in bare.rows] == [row.where for row in seen.rows]
    assert [
        [(segment.text.removeprefix("<s>"), segment.trained) for segment in row.segments]
        for row in seen.rows
    ] == [
        [(segment.text + "</s>" * segment.trained, segment.trained) for segment in row.segments]
        for row in bare.rows
    ]
