"""Pictures that rows name travel with the table, and keep their places beside it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from luthier.agent.hosts.errors import HostError
from luthier.agent.hosts.shipping import Shipper, moved_spec
from luthier.agent.hosts.ssh_host import SshHost
from luthier.trainers.data.columned import read_columned
from luthier.trainers.spec.file import build_spec

from .servers import SshServer


@pytest.fixture
def shipper(sshd: SshServer, known: Callable[..., SshHost]) -> Shipper:
    """Brings things to a host."""
    host = known(sshd, helper=sys.executable)
    return host.shipper(host.link.ready())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures, and a third that no row names."""
    for name in ("a", "b", "c"):
        path = tmp_path / "set" / "pictures" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (ord(name), 0, 0)).save(path)
    return tmp_path / "set"


def _spec(data: Path, task: str = "image-classification") -> Any:
    return build_spec(
        {
            "task": task,
            "model": {"name_or_path": "hub/model"},
            "data": {"path": str(data), "validation_fraction": 0},
        }
    )


def _there(shipper: Shipper, spec: Any, folder: Path) -> Any:
    """What the rows are on the host, once nothing of them is here any more."""
    moved = moved_spec(spec, shipper.ship_files(spec, lambda doing: None))
    folder.rename(folder.with_name("gone"))
    found = read_columned(moved)
    assert found.problems == []
    assert str(folder) not in moved.data.path
    return found.records("train")


def _lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_pictures_beside_a_table(shipper: Shipper, folder: Path) -> None:
    rows = [{"image": f"pictures/{name}.png", "label": name} for name in "ab"]
    found = _there(shipper, _spec(_lines(folder / "rows.jsonl", rows)), folder)
    assert [record.values["image"].size for record in found] == [(8, 8)] * 2
    tree = found[0].values["image"].path.parent
    assert sorted(path.name for path in tree.iterdir()) == ["a.png", "b.png"]


def test_lists_of_pictures_above_the_table(shipper: Shipper, folder: Path) -> None:
    text = "image,question,answer\n"
    text += '"[""../pictures/a.png"", ""../pictures/b.png""]",Which?,b\n../pictures/c.png,This?,c\n'
    table = folder / "tables" / "rows.csv"
    table.parent.mkdir()
    table.write_text(text, encoding="utf-8")
    found = _there(shipper, _spec(table, "vlm-vqa"), folder)
    assert [len(record.values["pictures"]) for record in found] == [2, 1]


def test_pictures_outside_a_folder_of_splits(shipper: Shipper, folder: Path) -> None:
    rows = [{"image": f"../pictures/{name}.png", "label": name} for name in "ab"]
    _lines(folder / "tables" / "train.jsonl", rows)
    found = _there(shipper, _spec(folder / "tables"), folder)
    assert [record.values["label"] for record in found] == [["a"], ["b"]]


def test_annotations_beside_the_folder_of_pictures(shipper: Shipper, folder: Path) -> None:
    shutil.move(folder / "pictures", folder / "images")
    annotations = folder / "annotations" / "instances_train.json"
    annotations.parent.mkdir()
    coco = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "annotations": [{"image_id": 1, "category_id": 1, "bbox": [1, 1, 4, 4]}],
        "categories": [{"id": 1, "name": "cat"}],
    }
    annotations.write_text(json.dumps(coco), encoding="utf-8")
    found = _there(shipper, _spec(annotations, "image-object-detection"), folder)
    assert found[0].values["categories"] == ["cat"]


def _absolute(folder: Path, table: Path) -> Any:
    rows = [{"image": str(folder / "pictures" / f"{name}.png"), "label": name} for name in "ab"]
    return _spec(_lines(table, rows))


def test_absolute_names_that_are_there_too(shipper: Shipper, folder: Path, tmp_path: Path) -> None:
    # The host is this machine, as with a disk that both see.
    spec = _absolute(folder, tmp_path / "rows.jsonl")
    moved = moved_spec(spec, shipper.ship_files(spec, lambda doing: None))
    assert len(read_columned(moved).records("train")) == 2


def test_absolute_names_must_be_there(
    another: Callable[..., SshServer], known: Callable[..., SshHost], folder: Path, tmp_path: Path
) -> None:
    script = f'mount -t tmpfs none {folder} && exec "$@"'
    prefix = ["unshare", "-m", "sh", "-c", script, "sh"]
    if subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("no mount namespace can be made here")
    host = known(another("sshd", prefix=prefix), helper=sys.executable)
    shipper = host.shipper(host.link.ready())
    spec = _absolute(folder, tmp_path / "rows.jsonl")
    with pytest.raises(HostError, match=r"rows.jsonl line 1: .*a.png is named by its absolute"):
        shipper.ship_files(spec, lambda doing: None)
