"""`data inspect` with a real model's tokenizer, and with hub datasets, as a process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import datasets
import pytest
import yaml

pytestmark = pytest.mark.training


def run_inspect(
    *arguments: str, environment: Mapping[str, str] | None = None
) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "luthier.trainers.data.inspect", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **(environment or {})},
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_inspect_with_a_model_shows_two_rows_as_it_sees_them(
    tmp_path: Path, tiny_model: Path
) -> None:
    rows = [{"question": "What wood?", "answer": "spruce " * count} for count in (1, 50, 2)]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    settings = ("data.system_prompt=Be short.", "training.max_length=60")
    chosen = [word for setting in settings for word in ("--set", setting)]
    code, report = run_inspect(
        str(path), "--model", str(tiny_model), "--set", "data.validation_fraction=0", *chosen
    )
    assert (code, report["problems"], report["model"]) == (0, [], str(tiny_model))
    assert (report["format"], report["chat"], report["limit"]) == ("prompt-completion", True, 60)
    assert report["train"]["lengths"]["unit"] == "tokens"
    assert report["train"]["too_long"] == 1
    whole, cut = report["rows"]
    asked = "<|system|>Be short.<|end|><|user|>What wood?<|end|><|assistant|>"
    assert (whole["where"], whole["cut"]) == ("rows.jsonl line 1", False)
    assert whole["segments"] == [
        {"text": asked, "trained": False},
        {"text": "spruce <|end|>", "trained": True},
    ]
    assert (cut["where"], cut["cut"]) == ("rows.jsonl line 2", True)
    assert cut["tokens"] > 60
    assert cut["segments"][0] == {"text": asked, "trained": False}
    assert ("spruce " * 50).startswith(cut["segments"][1]["text"])


def test_inspect_of_plain_text_shows_blocks(tmp_path: Path, tiny_model: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text\n" + "\n".join(f"the top {number}" for number in range(20)))
    code, report = run_inspect(
        str(path),
        "--task",
        "llm-generic",
        "--model",
        str(tiny_model),
        "--set",
        "training.block_size=16",
        "--set",
        "data.validation_fraction=0",
    )
    assert code == 0
    first, second = report["rows"]
    assert (first["where"], first["tokens"], second["where"]) == ("block 1", 16, "block 2")
    text = "".join(segment["text"] for row in (first, second) for segment in row["segments"])
    # One token for each letter and for the end: 32 in all.
    assert text == "the top 0<|end|>the top 1<|end|>the top 2<|end|>th"
    assert all(segment["trained"] for segment in first["segments"])


def test_inspect_with_a_model_that_is_not_there_still_shows_the_data(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text\na\nb\n")
    spec = {
        "task": "llm-sft",
        "model": {"name_or_path": str(tmp_path / "nowhere")},
        "data": {"path": str(tmp_path / "rows.csv")},
    }
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec))
    code, report = run_inspect(str(tmp_path / "spec.yaml"))
    assert (code, report["model"], report["format"]) == (2, None, "text")
    (problem,) = report["problems"]
    assert problem["message"].startswith(f"The tokenizer of {tmp_path}/nowhere cannot be loaded")
    assert report["columns"][0]["name"] == "text"


@pytest.fixture(scope="module")
def hub_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache as the datasets library leaves it after fetching owner/name."""
    home = tmp_path_factory.mktemp("hub")
    for split, text in (("train", "a"), ("test", "b")):
        (home / f"{split}.jsonl").write_text(json.dumps({"text": text}))
    files = {split: str(home / f"{split}.jsonl") for split in ("train", "test")}
    datasets.load_dataset("json", data_files=files, cache_dir=str(home / "made"))
    (made,) = (home / "made" / "json").glob("default-*/0.0.0/*/json-train.arrow")
    cached = home / "datasets" / "owner___name" / "default" / "0.0.0" / made.parent.name
    shutil.copytree(made.parent, cached)
    for split in files:
        (cached / f"json-{split}.arrow").rename(cached / f"name-{split}.arrow")
    return home


@pytest.mark.parametrize(
    ("name", "overrides", "found"),
    [
        ("owner/name", [], ["owner/name train row 1", "owner/name test"]),
        (
            "owner/name",
            ["data.train_split=all"],
            "owner/name: has no split 'all', which data.train_split names; "
            "the splits are train, test",
        ),
        ("owner/name", ["data.subset=en"], "owner/name: has no configuration 'en' ("),
        (
            "nobody/nothing",
            [],
            "nobody/nothing: is no file or folder here, and no hub dataset in this machine's "
            "cache, and this run is offline; check data.path or fetch it once while online",
        ),
    ],
)
def test_hub_datasets_come_from_the_cache_while_offline(
    hub_cache: Path, name: str, overrides: list[str], found: str | list[str]
) -> None:
    chosen = [word for override in overrides for word in ("--set", override)]
    environment = {"HF_HOME": str(hub_cache), "HF_HUB_OFFLINE": "1"}
    code, report = run_inspect(name, *chosen, environment=environment)
    if isinstance(found, list):
        assert code == 0
        assert [report["rows"][0]["where"], report["validation"]["name"]] == found
        return
    (problem,) = report["problems"]
    assert code == 2
    assert f"{problem['where']}: {problem['message']}".startswith(found)
