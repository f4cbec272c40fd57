"""Workers with other adapters and models, and how a worker ends."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from luthier.trainers.chat.protocol import (
    Added,
    AddVoice,
    Failed,
    Generate,
    Load,
    Token,
)
from luthier.trainers.chat.sampling import choose
from luthier.trainers.spec import ModelSection

from .support import GREEDY, QUESTION, Assets, Talk, reference

pytestmark = pytest.mark.training


def test_adapters_of_other_kinds(assets: Assets, tmp_path: Path) -> None:
    for name in ("scaled", "prompted"):
        talk = Talk(tmp_path / f"{name}.log")
        try:
            talk.load(assets.model, dtype="float32")
            bare, _ = talk.text("base", GREEDY)
            talk.ask(AddVoice, name=name, path=str(assets.adapters[name]))
            text, _ = talk.text(name, GREEDY)
            assert text == reference(assets, name, 60)
            assert text != bare
            assert talk.text("base", GREEDY)[0] == bare
        finally:
            talk.end()


def test_model_without_template_goes_on_with_plain_text(assets: Assets, tmp_path: Path) -> None:
    talk = Talk(tmp_path / "worker.log")
    try:
        talk.load(assets.plain, dtype="float32")
        split = [
            {"role": "system", "content": "ab"},
            {"role": "user", "content": "cd"},
        ]
        joined = [{"role": "user", "content": "abcd"}]
        text, figures = talk.text("base", GREEDY, split)
        assert figures.prompt_tokens == 4
        assert text == talk.text("base", GREEDY, joined)[0]
        (failed,) = talk.ask(
            Generate, voice="base", messages=[{"role": "user", "content": ""}], choice=GREEDY
        )
        assert failed.message == "The prompt is empty; write something."
        # An adapter with a template lends it to the base, so that both are asked the same.
        talk.ask(AddVoice, name="one", path=str(assets.adapters["one"]))
        _, figures = talk.text("base", GREEDY, joined)
        assert figures.prompt_tokens == 7
    finally:
        talk.end()


def test_system_prompt_of_the_training_is_put_before_chats_without_one(
    assets: Assets, tmp_path: Path
) -> None:
    talk = Talk(tmp_path / "worker.log")
    try:
        talk.load(assets.model, dtype="float32")
        path = str(assets.adapters["one"])
        talk.ask(AddVoice, name="plain", path=path)
        talk.ask(AddVoice, name="trained", path=path, system_prompt="Speak.")
        spoken = [{"role": "system", "content": "Speak."}, *QUESTION]
        expected = talk.text("plain", GREEDY, spoken)
        assert talk.text("trained", GREEDY)[0] == expected[0] != talk.text("plain", GREEDY)[0]
        assert talk.text("trained", GREEDY, spoken)[0] == expected[0]
        other = [{"role": "system", "content": "Sing."}, *QUESTION]
        assert talk.text("trained", GREEDY, other)[0] == talk.text("plain", GREEDY, other)[0]
        # The base model was not trained with it.
        without = [{"role": "user", "content": "a"}]
        assert talk.text("base", GREEDY, without)[1].prompt_tokens == 4
    finally:
        talk.end()


def test_end_of_input_ends_the_worker_in_the_middle_of_work(assets: Assets, tmp_path: Path) -> None:
    talk = Talk(tmp_path / "worker.log")
    try:
        talk.load(assets.model)
        talk.say(
            Generate,
            voice="base",
            messages=QUESTION,
            choice=choose("deterministic", max_new_tokens=1900),
        )
        assert isinstance(talk.hear(), Token)
        assert talk.process.stdin
        talk.process.stdin.close()
        assert talk.process.wait(timeout=5) == 0
    finally:
        talk.end()


def test_load_failures_name_the_cause(assets: Assets, tmp_path: Path) -> None:
    talk = Talk(tmp_path / "worker.log")
    try:
        (failed,) = talk.ask(Load, model=ModelSection(name_or_path=str(tmp_path / "nowhere")))
        assert isinstance(failed, Failed)
        assert "nowhere" in failed.message
        (failed,) = talk.ask(AddVoice, name="x", path=str(tmp_path))
        assert failed.message == "No model is loaded."
        talk.load(assets.model, dtype="float32")
        (failed,) = talk.ask(AddVoice, name="x", path=str(tmp_path))
        assert "adapter_model.safetensors" in failed.message
        assert "Traceback" in (tmp_path / "worker.log").read_text()
    finally:
        talk.end()


def test_an_adapter_that_does_not_fit_leaves_no_trace(assets: Assets, tmp_path: Path) -> None:
    talk = Talk(tmp_path / "worker.log")
    try:
        talk.load(assets.model, dtype="float32")
        bare, _ = talk.text("base", GREEDY)
        # Once as the first adapter and once beside another.
        for name in ("one", "two"):
            (failed,) = talk.ask(AddVoice, name="misfit", path=str(assets.misfit))
            assert "does not fit" in failed.message
            assert talk.text("base", GREEDY)[0] == bare
            added = talk.ask(AddVoice, name=name, path=str(assets.adapters[name]))[-1]
            assert isinstance(added, Added)
            assert talk.text(name, GREEDY)[0] == reference(assets, name, 60)
        assert talk.text("base", GREEDY)[0] == bare
        talk.ask(AddVoice, name="misfit", path=str(assets.adapters["one"]))
        assert talk.text("misfit", GREEDY)[0] == talk.text("one", GREEDY)[0]
    finally:
        talk.end()


def test_garbage_on_its_input_ends_the_worker(tmp_path: Path) -> None:
    talk = Talk(tmp_path / "worker.log")
    try:
        assert talk.process.stdin
        talk.process.stdin.write(b"what?\n")
        talk.process.stdin.flush()
        assert talk.process.wait(timeout=30) == 1
        assert talk.process.returncode != -signal.SIGKILL
    finally:
        talk.end()
