"""The estimate against memory that others have measured on GPUs and published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.loading import load_module


def _published() -> Any:
    path = Path(__file__).parents[1] / "benchmarks" / "published.py"
    return load_module(path)


PUBLISHED = _published()


@pytest.mark.parametrize("row", PUBLISHED.ROWS, ids=str)
def test_torchtunes_table(row: Any) -> None:
    assert -0.05 < PUBLISHED.estimated(row) / row.gib - 1 < 0.08
