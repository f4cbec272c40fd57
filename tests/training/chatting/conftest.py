"""Models of a module, and one worker that its tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from luthier.trainers.chat.protocol import (
    Added,
    AddVoice,
    Ready,
)

from .support import CONTEXT, GREEDY, Assets, Talk, make_assets


@pytest.fixture(scope="module")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Assets:
    """The models."""
    return make_assets(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def talk(assets: Assets, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Talk]:
    """A worker with the model and its two LoRA adapters; the text of the bare model beside it."""
    conversation = Talk(tmp_path_factory.mktemp("log") / "worker.log")
    ready = conversation.load(assets.model, dtype="float32")
    assert ready == Ready(id=ready.id, device="cpu", dtype="float32", context=CONTEXT)
    conversation.bare = conversation.text("base", GREEDY)[0]
    for name in ("one", "two"):
        added = conversation.ask(AddVoice, name=name, path=str(assets.adapters[name]))
        assert added[-1] == Added(id=added[-1].id, name=name)
    yield conversation
    conversation.end()
