"""parquet and arrow files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from .class_labels import features_of, name_classes
from .problems import data_error
from .table import Row, Table

# The schema, and the rows in batches.
Content = tuple[Any, Iterable[Any]]


def read_parquet(path: Path, limit: int | None = None) -> Table:
    """Read a parquet file.

    Raises:
        DataError: it is not parquet, has no rows, or pyarrow is not installed.
    """
    return _read(path, limit, "parquet", _parquet)


def read_arrow(path: Path, limit: int | None = None) -> Table:
    """Read an arrow file, in the file (Feather) or the stream format.

    Raises:
        DataError: it is not arrow, has no rows, or pyarrow is not installed.
    """
    return _read(path, limit, "arrow", _arrow)


def _read(path: Path, limit: int | None, kind: str, open_file: Callable[[Path], Content]) -> Table:
    try:
        import pyarrow
    except ImportError as error:
        raise data_error(
            f"{kind} needs pyarrow, which is not installed; run: pip install 'luthier[train]'", path
        ) from error
    rows: list[Row] = []
    try:
        schema, batches = open_file(path)
        for batch in batches:
            # Offsets that point outside would end this process.
            batch.validate(full=True)
            rows += batch.to_pylist()
            if limit is not None and len(rows) >= limit:
                break
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise data_error(f"is not a readable {kind} file ({reason})", path) from error
    rows = rows[:limit]
    if not rows:
        raise data_error("has no rows", path)
    name_classes(rows, features_of(schema.metadata))
    columns = tuple(map(str, schema.names))
    return Table(path.name, columns, rows, list(range(1, len(rows) + 1)))


def _parquet(path: Path) -> Content:
    import pyarrow.parquet

    file = pyarrow.parquet.ParquetFile(path)
    return file.schema_arrow, file.iter_batches()


def _arrow(path: Path) -> Content:
    import pyarrow
    import pyarrow.ipc

    source = pyarrow.memory_map(str(path))
    try:
        file = pyarrow.ipc.open_file(source)
    except pyarrow.ArrowInvalid:
        stream = pyarrow.ipc.open_stream(source)
        return stream.schema, stream
    batches = (file.get_batch(number) for number in range(file.num_record_batches))
    return file.schema, batches
