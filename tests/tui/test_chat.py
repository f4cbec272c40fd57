"""The chat screen over a real agent and real chat workers, with runs laid out by hand."""

from __future__ import annotations

import importlib.util
import json
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest
import yaml

import luthier.trainers.demo as demo
from luthier.agent.models import Attempt
from luthier.agent.paths import Home
from luthier.agent.runs.record import RunRecord, save_record
from luthier.agent.states import RunState

pytestmark = [pytest.mark.anyio, pytest.mark.training]

VIOLIN, VIOLA, ENDLESS = "20260101-100000-aaaa", "20260101-100001-bbbb", "20260101-100002-cccc"
PROMPTS = [
    {"prompt": "2 May 1901", "expected": "2 May 1901"},
    {"prompt": "3 May 1901", "expected": "1901-05-03", "before": ["1 May 1901", "1901-05-01"]},
]
OPENING = 120.0


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"luthier_tests_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


models = load(Path(__file__).parents[1] / "agent" / "chatting" / "models.py")


def lay_run(home: Home, run_id: str, name: str, model: Path) -> Path:
    """The folder of a finished run, but for its adapter."""
    folder = home.run(run_id)
    folder.adapter.mkdir(parents=True)
    record = RunRecord(
        id=run_id,
        name=name,
        task="llm-sft",
        model=str(model),
        host="local",
        state=RunState.SUCCEEDED,
        created_at=1e9,
        queue_key=1e9,
        attempts=[Attempt(number=1, started_at=1e9, ended_at=1e9, exit_code=0, devices=["cpu"])],
        artifact="artifacts/adapter",
    )
    save_record(folder, record)
    spec = {"task": "llm-sft", "model": {"name_or_path": str(model)}, "launch": {"offline": True}}
    (folder.path / "spec.yaml").write_text(yaml.safe_dump(spec))
    folder.preflight.write_text(json.dumps(report()))
    return folder.adapter


def report() -> dict[str, Any]:
    split = {"name": "train", "rows": 2, "used": 2}
    found: dict[str, Any] = {"source": "d", "fingerprint": "f", "format": "chat", "parts": {}}
    samples = []
    for each in PROMPTS:
        roles = zip(("user", "assistant"), each.get("before", []), strict=False)
        messages = [{"role": role, "content": text} for role, text in roles]
        messages.append({"role": "user", "content": each["prompt"]})
        samples.append({**each, "messages": messages} | {"before": None})
    for sample in samples:
        del sample["before"]
    return {**found, "columns": [], "train": split, "sample_prompts": samples}


def demo_adapter(folder: Path) -> None:
    """An adapter of the demo model that changes nothing: it says what the base model says."""
    models.write_adapter(folder, demo.MODEL, 1)
