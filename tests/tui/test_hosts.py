"""Another machine in the machines screen, from its first key to its removal, over a real sshd."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from ..hosts import conftest as hosts

another, person = hosts.another, hosts.person
pytestmark = pytest.mark.anyio


async def test_a_machine_from_its_first_key_to_its_removal(
    person: Path, another: Callable[..., Any], real_agent: Any, opened: Any, tmp_path: Path
) -> None:
    far = tmp_path / "home-there"
    far.mkdir()
    server = another("far", extra=f"SetEnv HOME={far}\n")
    shutil.copy(server.key, person / ".ssh" / "id_ed25519")
    client = real_agent.start()
    async with opened(size=(120, 40)) as luthier:
        await luthier.live()
        await luthier.press("m")
        await luthier.sees(", load ")
        await luthier.press("a")
        await luthier.sees("Add a machine")
        luthier.app.screen.query_one(Input).value = f"box {server.target}"
        await luthier.press("enter")
        await luthier.sees("Trust ", "its host key is", "SHA256:")
        await luthier.press("y")
        await luthier.until(lambda: luthier.app.screen.host == "box")
        await luthier.sees("box: ", "free")
        await luthier.press("c")
        await luthier.sees("Check of box", "none to train with yet", "luthier host setup box")
        await luthier.press("escape", "s")
        await luthier.sees("Set up box", "wheels here")
        await luthier.press("down", "enter")
        await luthier.sees("Which Python?")
        luthier.app.screen.query_one(Input).value = sys.executable
        await luthier.press("enter")
        await luthier.until(lambda: client.hosts.get("box").python == sys.executable)
        assert (far / ".luthier").is_dir()
        await luthier.press("D")
        await luthier.sees("Remove box?")
        await luthier.press("y")
        await luthier.until(lambda: len(client.hosts.all()) == 1)
        await luthier.until(lambda: luthier.app.screen.host == "local")
    assert not (far / ".luthier").exists()
