"""parquet files."""

from __future__ import annotations

from pathlib import Path

from .problems import data_error
from .table import Row, Table


def read_parquet(path: Path, limit: int | None = None) -> Table:
    """Read a parquet file.

    Raises:
        DataError: it is not parquet, has no rows, or pyarrow is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise data_error(
            "parquet needs pyarrow, which is not installed; run: pip install 'luthier[train]'", path
        ) from error
    rows: list[Row] = []
    try:
        file = pyarrow.parquet.ParquetFile(path)
        for batch in file.iter_batches():
            rows += batch.to_pylist()
            if limit is not None and len(rows) >= limit:
                break
    except (pyarrow.ArrowException, OSError) as error:
        raise data_error(f"is not a readable parquet file ({str(error).strip()})", path) from error
    rows = rows[:limit]
    if not rows:
        raise data_error("has no rows", path)
    columns = tuple(str(name) for name in file.schema_arrow.names)
    return Table(path.name, columns, rows, list(range(1, len(rows) + 1)))
