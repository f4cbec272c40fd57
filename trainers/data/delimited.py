"""csv and tsv files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from ..errors import DataError
from .problems import data_error, listed
from .table import Row, Table

_DELIMITERS = ",;\t|"
_LARGEST_CELL = 2**31 - 1
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def read_delimited(path: Path, limit: int | None = None) -> Table:
    """Read a csv or tsv file whose first row names the columns.

    The delimiter of a csv file is the one of comma, semicolon, tab and bar that the first row
    has most of. Blank lines count for nothing; every cell is text.

    Raises:
        DataError: naming the row (from 1, after the header) and what is wrong with it.
    """
    delimiter = "\t" if path.suffix.lower() == ".tsv" else _sniff(path)
    rows: list[Row] = []
    previous_limit = csv.field_size_limit(_LARGEST_CELL)
    try:
        with _open(path) as file:
            records = _records(path, file, delimiter)
            header = [name.strip() for name in next(records, [])]
            _check_header(path, header)
            for record in records:
                if limit is not None and len(rows) >= limit:
                    break
                if len(record) != len(header):
                    raise _ragged(path, len(rows) + 1, len(record), len(header))
                rows.append(dict(zip(header, record, strict=True)))
    except UnicodeDecodeError as error:
        raise _not_utf8(path) from error
    finally:
        csv.field_size_limit(previous_limit)
    if not rows:
        raise data_error("has a header but no rows", path)
    return Table(path.name, tuple(header), rows, list(range(1, len(rows) + 1)))


def _open(path: Path) -> io.TextIOWrapper:
    file = path.open("rb")
    if file.read(2) in _UTF16:
        file.close()
        raise data_error("is UTF-16 text; save it as UTF-8", path)
    file.seek(0)
    return io.TextIOWrapper(file, encoding="utf-8-sig", newline="")


def _records(path: Path, file: io.TextIOWrapper, delimiter: str) -> Iterator[list[str]]:
    """The records that are not blank. Unclosed quotes are errors, not one giant last cell."""
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    count = 0
    while True:
        line = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            place = f"row {count}" if count else "the header"
            raise data_error(
                f"{place} has a quote that is not closed, or text after one ({error}); "
                'write a quote inside a quoted cell as ""',
                f"{path.name} line {line}",
            ) from error
        if record:
            count += 1
            yield record


def _sniff(path: Path) -> str:
    """The delimiter that gives the header most columns; a comma when nothing tells."""

    def columns(delimiter: str) -> int:
        try:
            with _open(path) as file:
                return len(next(_records(path, file, delimiter), []))
        except UnicodeDecodeError as error:
            raise _not_utf8(path) from error
        except DataError:
            if delimiter == ",":
                raise
            return 0

    return max(_DELIMITERS, key=columns)


def _check_header(path: Path, header: list[str]) -> None:
    if not header:
        raise data_error("is empty", path)
    twice = sorted({name for name in header if header.count(name) > 1})
    if "" in header:
        mend = "give every column one in the first row"
        if not header[0] and header.count("") == 1:
            mend += ", or leave out the row numbers of pandas by to_csv(index=False)"
        raise data_error(f"column {header.index('') + 1} has no name; {mend}", path)
    if twice:
        raise data_error(f"the column {listed(twice)} stands twice in the header; rename one", path)


def _ragged(path: Path, number: int, cells: int, columns: int) -> DataError:
    has = f"has {cells} cell{'s' * (cells != 1)}, the header has {columns}"
    mend = "put quotes around text with delimiters or line breaks" if cells > columns else "fill it"
    return data_error(f"{has}; {mend}", f"{path.name} row {number}")


def _not_utf8(path: Path) -> DataError:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                where = f"{path.name} line {number}"
                return data_error(f"is not UTF-8 text ({error.reason}); save it as UTF-8", where)
    return data_error("is not UTF-8 text; save it as UTF-8", path)
