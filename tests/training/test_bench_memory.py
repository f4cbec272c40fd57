"""The table of measured memory, made on the CPU as a machine with a GPU makes it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).parents[1] / "benchmarks" / "bench_memory_cuda.py"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_table_of_measured_memory_is_made(tmp_path: Path) -> None:
    page = tmp_path / "memory-measured.md"
    command = [sys.executable, str(_SCRIPT), "--device", "cpu", "--rows", "2"]
    done = subprocess.run(
        [*command, "--output", str(page)],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hub")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Memory, measured\n\nReal runs on the CPU")
    head, rule, *rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 2
    assert {line.count("|") for line in (head, rule, *rows)} == {13}
    for row, method in zip(rows, ("full", "LoRA"), strict=True):
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells[:4] == ["tiny", method, "2 x 64", "no"]
        # Measured, quick, its error, tensors, exact, its error, seconds; and no complaint.
        assert all(float(cells[number]) > 0 for number in (4, 5))
        assert all(cells[number] for number in range(4, 11))
        assert cells[11] == ""


def test_the_list_makes_more_than_twenty_rows_without_a_hub() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import bench_memory_cuda as bench; "
        "found = list(bench.cases(bench._MODELS)); assert len(found) >= 20, len(found); "
        "assert all(bench.configuration(case.model) for case in found); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(_SCRIPT.parent)], check=True, timeout=120)
