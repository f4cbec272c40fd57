"""``luthier doctor``: what it finds wrong, and what it says to do."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .conftest import Luthier


def checks(luthier: Luthier) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code, and the checks by name."""
    ended = luthier("doctor", "--json")
    return ended.code, {check["name"]: check for check in ended.json["checks"]}


def test_a_whole_installation_is_well(luthier: Luthier, agent: Path) -> None:
    code, found = checks(luthier)
    assert code == 0
    assert {"python", "home", "disk", "socket", "agent", "devices", "torch", "trl"} <= set(found)
    assert all(check["level"] != "red" for check in found.values())
    assert "Everything needed is there." in luthier("doctor").out


@pytest.mark.parametrize("version", [None, "1.13.1"])
def test_missing_and_old_packages_are_told(
    luthier: Luthier, agent: Path, monkeypatch: pytest.MonkeyPatch, version: str | None
) -> None:
    installed = metadata.version

    def told(name: str) -> str:
        if name != "torch":
            return installed(name)
        if version is None:
            raise metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(metadata, "version", told)
    code, found = checks(luthier)
    assert code == 1
    assert found["torch"]["level"] == "red"
    assert "pip install 'luthier[train]'" in found["torch"]["remedy"]
    assert found["trl"]["level"] == "green"
    shown = luthier("doctor")
    assert shown.code == 1
    assert "FAIL  torch" in shown.out
    assert "1 check failed." in shown.out


def test_a_home_that_cannot_be_used_is_told(
    luthier: Luthier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LUTHIER_HOME", str(tmp_path / "file" / "home"))
    code, found = checks(luthier)
    assert code == 1
    assert found["home"]["level"] == "red"
    assert "LUTHIER_HOME" in found["home"]["remedy"]


def test_an_agent_that_does_not_start_is_told(luthier: Luthier, home: Path) -> None:
    home.mkdir()
    (home / "settings.yaml").write_text("nonsense: [")
    code, found = checks(luthier)
    assert code == 1
    assert found["agent"]["level"] == "red"
    assert "settings.yaml" in found["agent"]["found"]


def test_offline_is_told(luthier: Luthier, agent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "HF_HUB_OFFLINE" in checks(luthier)[1]["offline"]["found"]
    monkeypatch.delenv("HF_HUB_OFFLINE")
    assert checks(luthier)[1]["offline"]["found"].startswith("no")
