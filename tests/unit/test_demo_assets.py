"""The demo's files: small enough, honest, reproducible, and fit for the spec that uses them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pytest

from luthier.trainers import demo
from luthier.trainers.demo import dataset, skills
from luthier.trainers.demo.words import cardinal, numeric_ordinal, ordinal
from luthier.trainers.registry import find_task
from luthier.trainers.spec.file import parse_spec
from luthier.trainers.tasks.llm_sft import SupervisedSpec

ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def read_rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def contents(rows: Iterable[dict[str, Any]], role: str) -> set[str]:
    messages = [message for row in rows for message in row["prompt"] + row["completion"]]
    return {message["content"].lower() for message in messages if message["role"] == role}


def test_the_demo_weighs_at_most_eight_megabytes() -> None:
    files = [path for path in demo.FOLDER.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert sum(path.stat().st_size for path in files) <= 8_000_000


def test_the_model_is_safetensors_and_readable_by_everybody() -> None:
    weights = demo.MODEL / "model.safetensors"
    assert weights.stat().st_mode & 0o444 == 0o444
    assert not list(demo.MODEL.glob("*.bin"))


def test_no_heldout_date_or_question_occurs_in_training() -> None:
    train, heldout = read_rows(demo.TRAIN), read_rows(demo.HELDOUT)
    assert not contents(train, "user") & contents(heldout, "user")
    assert not contents(train, "assistant") & contents(heldout, "assistant")


def test_heldout_answers_are_dates() -> None:
    rows = demo.heldout_prompts()
    assert len(rows) == dataset.HELDOUT_ROWS
    for row in rows:
        assert [message["role"] for message in row.messages] == ["user"]
        assert date.fromisoformat(row.answer).isoformat() == row.answer


def test_the_dataset_script_reproduces_the_files(tmp_path: Path) -> None:
    dataset.write(tmp_path)
    assert (tmp_path / "train.jsonl").read_bytes() == demo.TRAIN.read_bytes()
    assert (tmp_path / "heldout.jsonl").read_bytes() == demo.HELDOUT.read_bytes()


def test_another_seed_writes_other_rows(tmp_path: Path) -> None:
    dataset.write(tmp_path, seed=dataset.SEED + 1)
    assert (tmp_path / "train.jsonl").read_bytes() != demo.TRAIN.read_bytes()


def test_a_question_names_its_date() -> None:
    random = Random(0)
    for _ in range(200):
        asked = dataset.question(date(1987, 3, 22), random).lower()
        assert "1987" in asked
        assert "mar" in asked
        assert "22" in asked or "twenty-second" in asked
        assert not ISO_DATE.search(asked)


def test_the_spec_is_a_supervised_run_on_the_demo_files() -> None:
    spec = parse_spec(demo.demo_spec_text())
    assert isinstance(spec, SupervisedSpec)
    assert find_task(spec.task).spec is SupervisedSpec
    assert Path(spec.model.name_or_path) == demo.MODEL
    assert Path(spec.data.path) == demo.TRAIN
    assert spec.launch.offline


def test_the_spec_survives_odd_folders() -> None:
    folder = Path("/tmp/it's: {a} #1")
    spec = parse_spec(demo.demo_spec_text(folder))
    assert isinstance(spec, SupervisedSpec)
    assert Path(spec.model.name_or_path) == folder / "model"


def test_the_base_model_was_never_shown_the_task() -> None:
    random = Random(0)
    for _ in range(20_000):
        exchange = skills.draw_exchange(random)
        if ISO_DATE.search(exchange.answer):  # three numbers joined with dashes, by chance
            assert exchange.prompt.lower() == "join " + exchange.answer.replace("-", " ").lower()


def test_numbers_in_words() -> None:
    assert cardinal(342) == "three hundred forty-two"
    assert [ordinal(number) for number in (1, 12, 20, 23, 30)] == [
        "first", "twelfth", "twentieth", "twenty-third", "thirtieth",
    ]  # fmt: skip
    assert [numeric_ordinal(number) for number in (1, 2, 3, 11, 13, 22, 31)] == [
        "1st", "2nd", "3rd", "11th", "13th", "22nd", "31st",
    ]  # fmt: skip


def test_exact_match_ignores_white_space_only() -> None:
    assert demo.exact_match([" 1987-03-04\n", "1987-3-4"], ["1987-03-04", "1987-03-04"]) == 0.5
    with pytest.raises(ValueError, match="nothing"):
        demo.exact_match([], [])
    with pytest.raises(ValueError, match="argument"):
        demo.exact_match([], ["1987-03-04"])


def test_importing_the_demo_loads_no_machine_learning() -> None:
    code = (
        "import sys, luthier.trainers.demo.dataset; "
        "sys.exit(bool({'torch', 'transformers'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("task", "columns"), [("llm-sft", {"prompt", "completion"}), ("llm-generic", {"text"})]
)
def test_sample_rows_are_small_and_whole(task: str, columns: set[str]) -> None:
    path = find_task(task).sample / "train.jsonl"
    rows = read_rows(path)
    assert path.stat().st_size < 12_000
    assert 20 <= len(rows) <= 40
    assert all(row.keys() == columns and all(row.values()) for row in rows)


@pytest.mark.training
def test_the_tokenizer_gives_every_text_back() -> None:
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(demo.MODEL)
    rows = read_rows(demo.TRAIN) + read_rows(demo.HELDOUT)
    for text in contents(rows, "user") | {"  Two  spaces ,\nand a line [x] {y} ~^", ""}:
        numbers = tokenizer.encode(text)
        assert len(numbers) == len(text)
        assert tokenizer.unk_token_id not in numbers
        assert tokenizer.decode(numbers) == text


@pytest.mark.training
def test_the_chat_template_marks_what_the_assistant_says() -> None:
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(demo.MODEL)
    chat = [{"role": "user", "content": "4 May 1987"}, {"role": "assistant", "content": "1987"}]
    encoded = tokenizer.apply_chat_template(
        chat, return_dict=True, return_assistant_tokens_mask=True
    )
    spoken = [
        number
        for number, mine in zip(encoded["input_ids"], encoded["assistant_masks"], strict=True)
        if mine
    ]
    assert tokenizer.decode(spoken) == "1987" + tokenizer.eos_token
    prompt = tokenizer.apply_chat_template(chat[:1], add_generation_prompt=True, tokenize=False)
    assert tokenizer.apply_chat_template(chat, tokenize=False).startswith(prompt)


@pytest.mark.training
def test_the_base_model_cannot_do_the_task_yet() -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(demo.MODEL, padding_side="left")
    model = transformers.AutoModelForCausalLM.from_pretrained(demo.MODEL)
    rows = demo.heldout_prompts()
    prompts = tokenizer.apply_chat_template(
        [list(row.messages) for row in rows],
        add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True,
    )  # fmt: skip
    with torch.no_grad():
        output = model.generate(**prompts, max_new_tokens=16, do_sample=False)
    answers = tokenizer.batch_decode(
        output[:, prompts["input_ids"].shape[1] :], skip_special_tokens=True
    )
    assert demo.exact_match(answers, [row.answer for row in rows]) <= 0.05
