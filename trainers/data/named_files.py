"""The files that the rows of a dataset name: pictures beside a table.

    python -m luthier.trainers.data.named_files SPEC

prints them as JSON, in a process of its own since tables may be large. Torch-free.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import LuthierError
from ..registry import find_task
from ..spec import RunSpec
from ..spec.file import load_spec
from .cells import MistakeError
from .columned import rules_of
from .image_folders import PictureRules
from .parts import find_parts
from .read import Layout, read_dataset
from .records import Cells
from .table import Table


@dataclass(frozen=True)
class NamedFile:
    """A file that a row names.

    Attributes:
        cell: what the row says.
        path: where the file is here.
        where: the row, for sentences.
    """

    cell: str
    path: str
    where: str

    @property
    def absolute(self) -> bool:
        """Whether the row names it from the root or from somebody's home."""
        return self.cell.startswith(("/", "~"))


def named_files(spec: RunSpec) -> list[NamedFile]:
    """Every file that the rows name and that is here, once.

    Raises:
        DataError: the rows cannot be read.
    """
    task = find_task(spec.task)
    rules = rules_of(spec) if task.rules and os.path.exists(spec.data.path) else None
    if not isinstance(rules, PictureRules):
        return []
    dataset = read_dataset(spec.data, Layout(folder=rules.folder, file=rules.file))
    parts, _ = find_parts(dataset.train, task, spec.data.column_mapping)
    found: dict[str, NamedFile] = {}
    for table in dataset.splits().values():
        for file in _of_table(table, parts, rules):
            found.setdefault(file.cell + "\0" + file.path, file)
    return list(found.values())


def _of_table(
    table: Table, parts: dict[str, str], rules: PictureRules[RunSpec]
) -> Iterator[NamedFile]:
    for index, row in enumerate(table.rows):
        cells = Cells(row, parts, table.folder)
        if not cells.has("image"):
            continue
        try:
            names = list(filter(None, map(_name, rules.held(cells))))
        except MistakeError:
            # The look at the data before training says what is wrong.
            continue
        for name in names:
            path = Path(table.folder or "", os.path.expanduser(name))
            if path.is_file():
                yield NamedFile(name, os.path.normpath(path), table.where(index))


def _name(value: object) -> str:
    """The name in a cell that holds no bytes; empty: none."""
    if isinstance(value, dict):
        value = None if value.get("bytes") else value.get("path")
    return value if isinstance(value, str) else ""


def main() -> int:
    """Print the named files of the spec that the command line names."""
    try:
        found = named_files(load_spec(Path(sys.argv[1])))
    except LuthierError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    json.dump([asdict(file) for file in found], sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
