"""Numbers of classes get the names that the dataset keeps beside its rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import pytest

from luthier.trainers.data.class_labels import name_classes
from luthier.trainers.data.columnar import read_arrow, read_parquet
from luthier.trainers.data.hub import _table

_MOODS = datasets.ClassLabel(names=["glad", "sad"])
_FEATURES = datasets.Features(
    {
        "text": datasets.Value("string"),
        "label": _MOODS,
        "tags": datasets.List(_MOODS),
        "objects": datasets.List({"category": _MOODS, "size": datasets.Value("int64")}),
    }
)
_ROWS = [
    {"text": "a", "label": 1, "tags": [0, 1], "objects": [{"category": 1, "size": 3}]},
    {"text": "b", "label": -1, "tags": [], "objects": []},
]
_NAMED = [
    {"text": "a", "label": "sad", "tags": ["glad", "sad"],
     "objects": [{"category": "sad", "size": 3}]},
    {"text": "b", "label": None, "tags": [], "objects": []},
]  # fmt: skip


@pytest.fixture(scope="module")
def dataset() -> Any:
    return datasets.Dataset.from_list(_ROWS, features=_FEATURES)


def test_in_files_of_the_hub(dataset: Any, tmp_path: Path) -> None:
    dataset.to_parquet(tmp_path / "rows.parquet")
    assert read_parquet(tmp_path / "rows.parquet").rows == _NAMED
    dataset.save_to_disk(tmp_path / "saved")
    (shard,) = (tmp_path / "saved").glob("*.arrow")
    assert read_arrow(shard).rows == _NAMED


def test_of_a_dataset_of_the_hub(dataset: Any) -> None:
    assert _table("owner/set", dataset, None).rows == _NAMED


def test_a_mapping_of_lists_as_older_versions_write_it() -> None:
    rows: list[Any] = [{"objects": {"category": [0, 1], "size": [3, 4]}}]
    kind = {"feature": {"category": {"names": ["glad", "sad"], "_type": "ClassLabel"}},
            "_type": "Sequence"}  # fmt: skip
    name_classes(rows, {"objects": kind})
    assert rows == [{"objects": {"category": ["glad", "sad"], "size": [3, 4]}}]


@pytest.mark.parametrize("metadata", [b"no json", b"[1]", b'{"info": 3}', b'{"info": {}}'])
def test_metadata_of_others_says_nothing(metadata: bytes, tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table({"label": [1, 0]}).replace_schema_metadata({b"huggingface": metadata})
    pyarrow.parquet.write_table(table, tmp_path / "rows.parquet")
    assert read_parquet(tmp_path / "rows.parquet").rows == [{"label": 1}, {"label": 0}]
