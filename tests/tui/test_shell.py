"""The shell: first steps, leaving, help, palette, jump keys, the agent going and coming back."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.anyio


async def test_a_newcomer_is_told_what_to_press(client: Any, opened: Any) -> None:
    async with opened() as luthier:
        await luthier.sees("There are no runs yet", "see it work")
        assert "n new run" in luthier.lines[-1]
        assert "q quit" in luthier.lines[-1]
