"""The estimate against memory that others have measured on GPUs and published."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest


def _published() -> Any:
    path = Path(__file__).parents[1] / "benchmarks" / "published.py"
    spec = importlib.util.spec_from_file_location("published", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


PUBLISHED = _published()


@pytest.mark.parametrize("row", PUBLISHED.ROWS, ids=str)
def test_torchtunes_table(row: Any) -> None:
    assert -0.05 < PUBLISHED.estimated(row) / row.gib - 1 < 0.08
