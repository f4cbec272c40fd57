"""Ranges and searches of log files."""

from __future__ import annotations

import tempfile
import tracemalloc
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from luthier.agent.logs import LogMatch, LogRange, read_range, search

CONTENT = b"first line\nsecond LINE\nthird\n"


def test_a_range_says_where_it_begins_and_how_big_the_file_is(tmp_path: Path) -> None:
    path = tmp_path / "output.log"
    path.write_bytes(CONTENT)
    size = len(CONTENT)
    assert read_range(path, 0, 10) == LogRange(b"first line", 0, size)
    assert read_range(path, 6, 4) == LogRange(b"line", 6, size)
    assert read_range(path, -6, 100) == LogRange(b"third\n", size - 6, size)
    assert read_range(path, -1000, 5) == LogRange(b"first", 0, size)
    assert read_range(path, size, 5) == LogRange(b"", size, size)
    assert read_range(path, 10**12, 5) == LogRange(b"", size, size)
    assert read_range(path, 0, 0) == read_range(path, 0, -3) == LogRange(b"", 0, size)
    assert read_range(tmp_path / "absent", -5, 5) == LogRange(b"", 0, 0)


@given(content=st.binary(max_size=200), offset=st.integers(-250, 250), limit=st.integers(0, 250))
def test_a_range_is_the_slice_of_the_file(content: bytes, offset: int, limit: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "output.log"
        path.write_bytes(content)
        found = read_range(path, offset, limit)
    start = max(len(content) + offset, 0) if offset < 0 else min(offset, len(content))
    assert found == LogRange(content[start : start + limit], start, len(content))


def test_a_huge_file_is_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "output.log"
    with path.open("wb") as file:
        file.truncate(2**40)
    tracemalloc.start()
    found = read_range(path, -4096, 10**9)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (len(found.data), found.size) == (4096, 2**40)
    assert peak < 2**20


def test_lines_are_found_whatever_the_case(tmp_path: Path) -> None:
    path = tmp_path / "output.log"
    path.write_bytes(CONTENT)
    assert search(path, b"Line") == [LogMatch(0, b"first line"), LogMatch(11, b"second LINE")]
    assert search(path, b"line", limit=1) == [LogMatch(0, b"first line")]
    assert search(path, b"line", offset=11) == [LogMatch(11, b"second LINE")]
    assert search(path, b"absent") == search(path, b"") == []
    assert search(tmp_path / "absent", b"line") == []


def test_a_line_without_end_is_searched_without_loading_it(tmp_path: Path) -> None:
    path = tmp_path / "output.log"
    with path.open("wb") as file:
        for _ in range(200):
            file.write(b"\rprogress" * 10_000)
        file.write(b"\nneedle " + b"y" * 5000 + b"\n")
    tracemalloc.start()
    (found,) = search(path, b"needle")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.line.startswith(b"needle yyy")
    assert len(found.line) == 1000
    assert read_range(path, found.offset, 6).data == b"needle"
    assert peak < 2**20
