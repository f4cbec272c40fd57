"""The check of a dataset before any model loads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from luthier.trainers.data import Example, PreflightReport, preflight, read_dataset
from luthier.trainers.errors import DataError
from luthier.trainers.spec import TextSpec
from luthier.trainers.spec.file import parse_spec

Row = dict[str, Any]


def spec_of(
    path: Path, task: str = "llm-sft", training: Row | None = None, **data: Any
) -> TextSpec:
    values = {
        "task": task,
        "model": {"name_or_path": "none"},
        "data": {"path": str(path), **data},
        "training": training or {},
    }
    spec = parse_spec(yaml.safe_dump(values))
    assert isinstance(spec, TextSpec)
    return spec


def folder(path: Path, train: Sequence[Row], validation: Sequence[Row] = ()) -> Path:
    for name, rows in (("train", train), ("validation", validation)):
        if rows:
            lines = "\n".join(json.dumps(row) for row in rows)
            (path / f"{name}.jsonl").write_text(lines)
    return path


def pair(number: int, **more: Any) -> Row:
    return {"prompt": f"What is {number}?\n", "completion": f"{number}.", **more}


def check(spec: TextSpec, **options: Any) -> PreflightReport:
    return preflight(read_dataset(spec.data), spec, **{"as_chat": False, **options})


def sentences(report: PreflightReport) -> list[str]:
    return [str(warning) for warning in report.warnings]


def problems(spec: TextSpec, **options: Any) -> list[str]:
    with pytest.raises(DataError) as caught:
        check(spec, **options)
    return [str(problem) for problem in caught.value.problems]


GOOD = [pair(number) for number in range(20)]
HELD = [pair(number) for number in range(100, 130)]


def test_a_clean_dataset_in_numbers(tmp_path: Path) -> None:
    report = check(spec_of(folder(tmp_path, GOOD, HELD)))
    assert report.warnings == []
    assert (report.format, report.validation_made) == ("prompt-completion", False)
    assert report.train.model_dump() == {
        "name": "train.jsonl",
        "rows": 20,
        "used": 20,
        "lengths": {"unit": "characters", "minimum": 13, "median": 13, "p95": 15, "maximum": 15},
        "too_long": 0,
    }
    assert [column.model_dump() for column in report.columns] == [
        {"name": "prompt", "type": "text", "nulls": 0, "example": "What is 0?\n"},
        {"name": "completion", "type": "text", "nulls": 0, "example": "0."},
    ]
    assert len(report.fingerprint) == 64
    again = PreflightReport.model_validate_json(report.model_dump_json())
    assert again == report


def test_sample_prompts_are_the_first_of_the_validation_rows(tmp_path: Path) -> None:
    report = check(spec_of(folder(tmp_path, GOOD, HELD)))
    assert len(report.sample_prompts) == 20
    assert report.sample_prompts[0].model_dump() == {
        "prompt": "What is 100?\n",
        "messages": [{"role": "user", "content": "What is 100?\n"}],
        "expected": "100.",
    }


def test_sample_prompts_of_chats(tmp_path: Path) -> None:
    turns = [("system", "Be brief."), ("user", "a"), ("assistant", "b"), ("user", "c")]
    before = [{"role": role, "content": content} for role, content in turns]
    chat = [*before, {"role": "assistant", "content": "d"}, {"role": "user", "content": "thanks"}]
    report = check(spec_of(folder(tmp_path, [{"messages": chat}])))
    (sample,) = report.sample_prompts
    assert sample.model_dump() == {"prompt": "c", "messages": before, "expected": "d"}


def test_the_same_prompt_is_a_sample_once_and_text_has_none(tmp_path: Path) -> None:
    rows = [pair(1), {**pair(1), "completion": "uno"}, pair(2)]
    samples = check(spec_of(folder(tmp_path, rows, rows))).sample_prompts
    assert [sample.expected for sample in samples] == ["1.", "2."]
    texts = [{"text": "a"}, {"text": "b"}]
    (tmp_path / "texts").mkdir()
    assert check(spec_of(folder(tmp_path / "texts", texts, texts[:1]))).sample_prompts == []


def test_repeated_rows_are_named_up_to_five(tmp_path: Path) -> None:
    report = check(spec_of(folder(tmp_path, [*GOOD, *GOOD[:17]], HELD)))
    assert sentences(report) == [
        "train.jsonl lines 21, 22, 23, 24, 25 and 12 more: 17 rows are the same as an earlier "
        "row; what is repeated weighs more in training"
    ]


def test_prompts_in_both_splits(tmp_path: Path) -> None:
    held = [pair(100), {**pair(3), "completion": "three"}, pair(4), pair(101)]
    report = check(spec_of(folder(tmp_path, GOOD, held)))
    assert sentences(report) == [
        "validation.jsonl lines 2, 3: 2 of 4 validation prompts (50.0%) occur in the "
        "training rows too, so the measured loss will look better than it is"
    ]


def test_prompts_in_both_splits_of_chats_and_texts(tmp_path: Path) -> None:
    def chat(answer: str) -> Row:
        return {
            "messages": [
                {"role": "user", "content": "hi"},
                {"role": "assistant", "content": answer},
            ]
        }

    report = check(spec_of(folder(tmp_path, [chat("a")], [chat("b")])))
    assert any("1 of 1 validation prompts (100.0%)" in text for text in sentences(report))
    report = check(spec_of(folder(tmp_path, [{"text": "a"}], [{"text": "a"}])))
    assert any("1 of 1 validation prompts (100.0%)" in text for text in sentences(report))


def lengths_of(examples: Sequence[Example]) -> list[int]:
    return [len(str(example["prompt"])) for example in examples]


def test_rows_longer_than_the_limit(tmp_path: Path) -> None:
    rows = [{**pair(number), "prompt": "x" * (10 * number) + "\n"} for number in range(1, 21)]
    spec = spec_of(folder(tmp_path, rows, HELD), training={"max_length": 171})
    report = check(spec, measure=lengths_of)
    assert report.train.too_long == 3
    assert report.train.lengths is not None
    assert report.train.lengths.model_dump() == {
        "unit": "tokens",
        "minimum": 11,
        "median": 101,
        "p95": 191,
        "maximum": 201,
    }
    assert sentences(report) == [
        "train.jsonl lines 18, 19, 20: 3 of 20 rows (15.0%) are longer than 171 tokens and will "
        "be cut; raise training.max_length to keep them whole"
    ]


def test_wrapped_packing_cuts_no_row(tmp_path: Path) -> None:
    training = {"max_length": 8, "packing": True, "packing_strategy": "wrapped"}
    spec = spec_of(folder(tmp_path, GOOD, HELD), training=training)
    assert check(spec, measure=lengths_of).warnings == []


def test_a_few_empty_rows_are_left_out_and_named(tmp_path: Path) -> None:
    rows = [*GOOD, pair(50, completion=None), pair(51, completion="")]
    report = check(spec_of(folder(tmp_path, rows, HELD)))
    assert (report.train.rows, report.train.used) == (22, 20)
    assert sentences(report) == [
        "train.jsonl lines 21, 22: completion is empty in 2 of 22 rows; they are left out"
    ]
    assert [(column.name, column.nulls) for column in report.columns] == [
        ("prompt", 0),
        ("completion", 2),
    ]


def test_many_empty_rows_stop_the_run(tmp_path: Path) -> None:
    rows = [*GOOD, *(pair(number, prompt=" ") for number in range(50, 58))]
    assert problems(spec_of(folder(tmp_path, rows, HELD))) == [
        "train.jsonl lines 21, 22, 23, 24, 25 and 3 more: prompt is empty in 8 of 28 rows; "
        "fill or remove them"
    ]


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    rows = [*GOOD[:18], pair(18, completion=5), pair(19, w="much"), pair(20, w=-2)]
    found = problems(spec_of(folder(tmp_path, rows, HELD), weight_column="w"))
    assert found == [
        "train.jsonl line 19: completion is a number, not text; write it as text, "
        "or use a template with {completion}",
        "train.jsonl line 20: the weight in w is not a number",
        "train.jsonl line 21: the weight in w is negative; 0 leaves a row out",
    ]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (
            {"weight_column": "weigth"},
            [
                "train.jsonl: there is no column 'weigth', which data.weight_column names; "
                "did you mean 'weight'?"
            ],
        ),
        (
            {"column_mapping": {"prompt": "prompt", "completion": "weight"}},
            ["validation.jsonl: there is no column 'weight'; the columns are prompt, completion"],
        ),
        (
            {"prompt_template": "{weight}", "completion_template": "{completion}"},
            [
                "data.prompt_template: there is no column 'weight'; "
                "the columns are prompt, completion"
            ],
        ),
    ],
)
def test_columns_missing_from_a_split(tmp_path: Path, data: Row, found: list[str]) -> None:
    rows = [pair(number, weight="1") for number in range(3)]
    assert problems(spec_of(folder(tmp_path, rows, HELD), **data)) == found


def test_optional_columns_may_be_missing_from_the_validation_rows(tmp_path: Path) -> None:
    rows = [{"instruction": f"add {n}", "input": "1", "output": str(n)} for n in range(3)]
    held = [{"instruction": "add 9", "output": "9"}]
    report = check(spec_of(folder(tmp_path, rows, held)))
    assert (report.format, report.warnings) == ("alpaca", [])


def test_weights_may_be_missing_from_the_validation_rows(tmp_path: Path) -> None:
    rows = [pair(number, weight=2) for number in range(3)]
    check(spec_of(folder(tmp_path, rows, HELD), weight_column="weight"))


@pytest.mark.parametrize(
    ("roles", "sentence"),
    [
        ("u s a", "a system message is not the first"),
        ("a u a", "the first turn is the assistant's, not the user's"),
        ("u u a", "the same role speaks twice in a row"),
        ("s u a a", "the same role speaks twice in a row"),
    ],
)
def test_turns_in_an_unusual_order(tmp_path: Path, roles: str, sentence: str) -> None:
    words = {"u": "user", "a": "assistant", "s": "system"}
    odd = [{"role": words[role], "content": f"{role}{n}"} for n, role in enumerate(roles.split())]
    plain = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]
    path = folder(tmp_path, [{"messages": plain}, {"messages": odd}])
    assert sentences(check(spec_of(path, validation_fraction=0))) == [
        f"train.jsonl line 2: {sentence}; some chat templates refuse that"
    ]


def test_losses_that_the_rows_cannot_have(tmp_path: Path) -> None:
    texts = folder(tmp_path, [{"text": str(number)} for number in range(5)])
    assert problems(spec_of(texts, training={"assistant_only_loss": True})) == [
        "training.assistant_only_loss: needs chats, but the rows are plain text; set it to false"
    ]
    assert problems(spec_of(texts, training={"completion_only_loss": True})) == [
        "training.completion_only_loss: needs prompts with completions, but the rows have none; "
        "leave it out"
    ]


def test_plain_pairs_may_become_chats_while_no_tokenizer_is_known(tmp_path: Path) -> None:
    rows = [{"prompt": f"is it {number}?", "completion": "yes"} for number in range(5)]
    spec = spec_of(
        folder(tmp_path, rows),
        training={"assistant_only_loss": True},
        system_prompt="x",
        validation_fraction=0,
    )
    assert check(spec, as_chat=None).warnings == []
    assert check(spec, as_chat=True).warnings == []
    assert len(problems(spec, as_chat=False)) == 1


def test_prompts_that_touch_their_completions(tmp_path: Path) -> None:
    rows = [{"prompt": f"is it {number}?", "completion": "yes"} for number in range(3)]
    path = folder(tmp_path, rows)
    assert sentences(check(spec_of(path, validation_fraction=0))) == [
        "train.jsonl lines 1, 2, 3: prompts run straight into completions ('is it 0?yes'); "
        "end them with a line break by data.prompt_template"
    ]
    mended = {"prompt_template": "{prompt}\n", "completion_template": "{completion}"}
    assert check(spec_of(path, validation_fraction=0, **mended)).warnings == []


def test_settings_without_effect(tmp_path: Path) -> None:
    texts = folder(tmp_path, [{"text": str(number)} for number in range(5)])
    assert sentences(check(spec_of(texts, system_prompt="x"))) == [
        "data.system_prompt: is not used, because the rows are plain text"
    ]
    one = tmp_path / "one.csv"
    one.write_text("text\nalone\n")
    assert sentences(check(spec_of(one))) == [
        "one.csv: too few different rows to set any aside, so nothing is measured"
    ]


def test_chats_learnt_as_plain_text(tmp_path: Path) -> None:
    chat = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]
    path = folder(tmp_path, [{"messages": chat}])
    spec = spec_of(path, task="llm-generic", validation_fraction=0)
    assert sentences(check(spec)) == [
        "train.jsonl: the rows are chats, learnt here as plain paragraphs; "
        "llm-sft uses the chat template"
    ]
