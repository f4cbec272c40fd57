"""Rows of preferences, labels and prompts, and what is found in them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from luthier.trainers.data.findings import Findings
from luthier.trainers.data.preference_findings import examine_preferences
from luthier.trainers.data.preference_inspect import read_preferences
from luthier.trainers.spec.file import parse_spec
from luthier.trainers.spec.preference_data import PromptSpec

Row = dict[str, Any]


def spec_of(path: Path, task: str, **settings: Any) -> PromptSpec:
    values: Row = {
        "task": task,
        "model": {"name_or_path": "none"},
        "data": {"path": str(path)},
    }
    for key, value in settings.items():
        section, _, name = key.partition("__")
        values.setdefault(section, {})[name] = value
    spec = parse_spec(yaml.safe_dump(values))
    assert isinstance(spec, PromptSpec)
    return spec


def look(
    tmp_path: Path, task: str, rows: Sequence[Row], *, as_chat: bool = False, **settings: Any
) -> Findings:
    path = tmp_path / "train.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    spec = spec_of(path, task, **{"data__validation_fraction": 0.0, **settings})
    return examine_preferences(read_preferences(spec), spec, as_chat=as_chat)


def pair(number: int, **more: Any) -> Row:
    return {
        "prompt": f"q{number}?",
        "chosen": f"good {number}",
        "rejected": f"bad {number}",
        **more,
    }


def said(role: str, text: str) -> Row:
    return {"role": role, "content": text}


PAIRS = [pair(number) for number in range(20)]
LABELLED = [
    {"prompt": f"q{n}?", "completion": f"answer {n}", "label": bool(n % 2)} for n in range(20)
]
PROMPTS = [{"prompt": f"q{n}?", "answer": str(n)} for n in range(20)]
