"""How tests are shared among processes."""

from __future__ import annotations

import pytest

# Every test of these files is long and shares nothing costly with the others.
_SPREAD = {"test_every_task.py"}


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the marks in the same hook.
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of a file stay in one process, where they share agents, models and runs."""
    for item in items:
        if item.path.name not in _SPREAD:
            item.add_marker(pytest.mark.xdist_group(str(item.path)))
