"""The chat screen over a real agent and real chat workers, with runs laid out by hand."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import yaml
from safetensors.numpy import save_file

import luthier.trainers.demo as demo
from luthier.agent.models import Attempt
from luthier.agent.paths import Home
from luthier.agent.runs.record import RunRecord, save_record
from luthier.agent.states import RunState
from luthier.tui.screens.chat import ChatScreen

pytestmark = [pytest.mark.anyio, pytest.mark.training, pytest.mark.timeout(600)]

VIOLIN, VIOLA, ENDLESS = "20260101-100000-aaaa", "20260101-100001-bbbb", "20260101-100002-cccc"


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"luthier_tests_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


models = load(Path(__file__).parents[1] / "agent" / "chatting" / "models.py")


def sample(prompt: str, expected: str, *before: str) -> dict[str, Any]:
    texts = [*before, prompt]
    roles = ["user", "assistant"] * len(texts)
    messages = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]
    return {"prompt": prompt, "messages": messages, "expected": expected}


REPORT = {
    "source": "dates.jsonl",
    "fingerprint": "f",
    "format": "chat",
    "parts": {},
    "columns": [],
    "train": {"name": "train", "rows": 2, "used": 2},
    "sample_prompts": [
        sample("2 May 1901", "1901-05-02"),
        sample("3 May 1901", "nothing like it", "1 May 1901", "1901-05-01"),
    ],
}


def lay_run(home: Home, run_id: str, name: str, model: Path) -> Path:
    """A finished run but for its adapter, whose folder is returned."""
    folder = home.run(run_id)
    folder.artifacts.mkdir(parents=True)
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
    folder.preflight.write_text(json.dumps(REPORT))
    return folder.adapter


def write_demo_adapter(folder: Path) -> None:
    """An adapter of the demo model that changes nothing."""
    folder.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (folder / name).write_bytes((demo.MODEL / name).read_bytes())
    width = json.loads((demo.MODEL / "config.json").read_text())["hidden_size"]
    head = "base_model.model.model.layers.0.self_attn.q_proj"
    weights = {
        f"{head}.lora_A.weight": np.ones((4, width), dtype=np.float32),
        f"{head}.lora_B.weight": np.zeros((width, 4), dtype=np.float32),
    }
    save_file(weights, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 4, "lora_alpha": 8}
    config |= {"target_modules": ["q_proj"], "layers_to_transform": [0]}
    (folder / "adapter_config.json").write_text(json.dumps(config))


@asynccontextmanager
async def chatting(opened: Any, *runs: str, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Any]:
    """The chat screen, whose model may still be loading."""
    async with opened(size=size) as luthier:
        await luthier.until(lambda: set(runs) <= set(luthier.app.state.runs))
        luthier.app.open_chat(runs)
        await luthier.until(lambda: isinstance(luthier.app.screen, ChatScreen))
        await luthier.sees("Loading", "Ask something")
        yield luthier


async def has_answered(luthier: Any) -> None:
    await luthier.until(lambda: luthier.app.screen._writing is None, 120)


async def test_a_conversation_with_two_adapters(
    real_agent: Any, opened: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run_id, name in ((VIOLIN, "violin"), (VIOLA, "viola")):
        write_demo_adapter(lay_run(real_agent.home, run_id, name, demo.MODEL))
    monkeypatch.chdir(tmp_path)
    real_agent.start(OMP_NUM_THREADS="1")
    async with chatting(opened, VIOLIN, VIOLA) as luthier:
        talk = luthier.app.screen._talk
        # What is sent while the model loads is asked once it is there.
        await luthier.type("1 May 1999")
        await luthier.press("enter")
        await luthier.told("as soon as the model is there")
        await luthier.sees("to viola", "› 1 May 1999", "tokens/s, first after", seconds=120)
        assert "violin and viola" in luthier.lines[0]

        await luthier.press("escape", "s", "left")
        await luthier.sees("How words are chosen", "Always the likeliest token")
        await luthier.press(*["down"] * 5, "2", "0", "enter", "escape")
        await luthier.sees("to viola · deterministic, longest answer 20")

        # The base model and the adapter, which is the same model here, go on side by side.
        await luthier.press("v", "v", "b")
        await luthier.sees("to base and violin")
        await luthier.press("i")
        await luthier.type("4 June 1920")
        await luthier.press("enter")
        await has_answered(luthier)
        first, second = talk.last.answers.values()
        assert list(talk.last.answers) == ["base", VIOLIN]
        assert first == second
        assert luthier.line_with(" base  ").split() == ["base", "violin"]

        # A prompt of the data is a conversation of its own, with what was said before it.
        await luthier.press("ctrl+t")
        await luthier.sees("Prompts of the data", "nothing like it", "1901-05-02")
        await luthier.press("j")
        await luthier.sees("assistant: 1901-05-01", "expected: nothing like it")
        await luthier.press("enter")
        await has_answered(luthier)
        await luthier.sees("› 3 May 1901", "data", "expected", "not as expected")
        assert "nothing like it" in luthier.text
        asked = [each.content for each in talk.conversation.messages("base")]
        assert asked == ["1 May 1901", "1901-05-01", "3 May 1901"]

        await luthier.press("escape", "B")
        await luthier.sees("to base and violin and viola")
        await luthier.press("r")
        await has_answered(luthier)
        assert list(talk.last.answers) == ["base", VIOLIN, VIOLA]
        await luthier.press("b", "S")
        await luthier.sees("System prompt", "that of the training")
        await luthier.type("Answer in ISO form")
        await luthier.press("enter")
        await luthier.press("e")
        await luthier.sees("Change the last question")
        await luthier.press("ctrl+u")
        await luthier.type("5 May 1901")
        await luthier.press("enter")
        await has_answered(luthier)
        await luthier.sees("System prompt: Answer in ISO form", "› 5 May 1901")
        await luthier.misses("› 3 May 1901")
        assert len(talk.conversation.turns) == 2
        assert talk.last.expected is None

        await luthier.press("escape", "w")
        await luthier.sees("Export to", ".jsonl for training")
        await luthier.press(*["ctrl+u"] * 3)
        await luthier.type("said.jsonl")
        await luthier.press("enter")
        await luthier.told("said.jsonl")
        (row,) = map(json.loads, (tmp_path / "said.jsonl").read_text().splitlines())
        assert row["voice"] == "violin"
        assert [each["role"] for each in row["messages"]][:2] == ["system", "user"]

        # Earlier conversations come back, also after the screen was left.
        await luthier.press("n")
        await luthier.misses("› 5 May 1901")
        await luthier.press("h")
        await luthier.sees("Earlier conversations", "1 May 1999", "5 May 1901")
        await luthier.press("j", "enter")
        await luthier.sees("› 1 May 1999", "› 4 June 1920", "tokens/s")
        await luthier.press("q")
        await luthier.misses("Ask something")
        luthier.app.open_chat([VIOLIN])
        await luthier.sees("to violin ·", seconds=120)
        await luthier.resize(120, 40)
        await luthier.press("escape", "h")
        await luthier.sees("Earlier conversations", "5 May 1901")
        await luthier.press("D")
        await luthier.misses("5 May 1901")
        await luthier.press("enter")
        await luthier.sees("› 4 June 1920")


async def test_stopping_leaving_and_an_agent_that_dies(
    real_agent: Any, opened: Any, tmp_path: Path
) -> None:
    models.write_model(tmp_path / "base")
    adapter = lay_run(real_agent.home, ENDLESS, "endless", tmp_path / "base")
    models.write_adapter(adapter, tmp_path / "base", 1)
    client = real_agent.start(OMP_NUM_THREADS="1")
    async with chatting(opened, ENDLESS) as luthier:
        screen = luthier.app.screen
        talk = screen._talk
        await luthier.until(lambda: client.chats.all())
        await luthier.press("escape")
        await luthier.sees("The model is not loaded.", "enter tries again.")
        await luthier.until(lambda: not client.chats.all())
        await luthier.type("hello")
        await luthier.press("enter")
        await luthier.sees("› hello", "256 tokens", "cut at max_new_tokens", seconds=120)

        talk.sampling = talk.sampling.model_copy(update={"max_new_tokens": 4000})
        await luthier.press("ctrl+r")
        await luthier.sees("writing; escape stops it")
        await luthier.until(lambda: len(screen._writing.text) > 200)
        await luthier.press("escape")
        await has_answered(luthier)
        stopped = talk.last.answers[ENDLESS]
        assert len(stopped) >= 200
        assert talk.last.figures[ENDLESS].finish == "cancelled"
        await luthier.sees(", stopped")

        # What is written while the agent dies stays, with the reason below it.
        await luthier.press("ctrl+r")
        await luthier.until(lambda: len(screen._writing.text) > 50)
        real_agent.kill()
        await has_answered(luthier)
        await luthier.sees("The agent of", "went away")
        assert talk.last.answers[ENDLESS]
        real_agent.start(OMP_NUM_THREADS="1")
        await luthier.until(lambda: luthier.app.state.connection == "live")
        talk.sampling = talk.sampling.model_copy(update={"max_new_tokens": 30})
        await luthier.press("ctrl+r")
        await has_answered(luthier)
        assert talk.last.figures[ENDLESS].finish == "length"

        # Leaving while it writes keeps what there is.
        talk.sampling = talk.sampling.model_copy(update={"max_new_tokens": 4000})
        await luthier.type("more")
        await luthier.press("enter")
        await luthier.until(lambda: screen._writing and len(screen._writing.text) > 50)
        screen.action_leave()
        await luthier.misses("Ask something")
        luthier.app.open_chat([ENDLESS])
        await luthier.sees("to endless", seconds=120)
        (chat,) = client.chats.all()
        await luthier.until(lambda: client.chats.get(chat.id).state == "ready")
        await luthier.press("escape", "h", "enter")
        await luthier.sees("tokens, stopped")
        turns = luthier.app.screen._talk.conversation.turns
        assert [turn.prompt for turn in turns] == ["hello", "more"]
        await luthier.press("X")
        await luthier.until(lambda: not client.chats.all())
        await luthier.misses("Ask something")
