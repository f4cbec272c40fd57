"""The wheel: what a person who installs it gets."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        capture_output=True,
        check=True,
    )
    names = [name for name in listed.stdout.decode().split("\0") if name]
    present = [name for name in names if (ROOT / name).exists() or (ROOT / name).is_symlink()]
    archive = subprocess.run(
        ["tar", "-C", str(ROOT), "-c", "--null", "-T", "-"],
        input="\0".join(present).encode(),
        capture_output=True,
        check=True,
    )
    subprocess.run(["tar", "-C", str(source), "-x"], input=archive.stdout, check=True)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)]
    built = subprocess.run(
        [*command, str(source)], capture_output=True, text=True, check=False, timeout=120
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return zipfile.ZipFile(next(out.glob("*.whl")))


def test_every_module_and_data_file_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    inside = set(wheel.namelist())
    kinds = {
        ".py",
        ".yaml",
        ".json",
        ".jsonl",
        ".jinja",
        ".safetensors",
        ".sql",
        ".tcss",
        ".md",
        ".png",
    }
    expected = {
        f"luthier/{file.relative_to(ROOT)}"
        for package in ("tui", "agent", "trainers", "presets")
        for file in (ROOT / package).rglob("*")
        if file.suffix in kinds and "__pycache__" not in file.parts
    }
    assert expected - inside == set()
    assert "luthier/trainers/demo/model/model.safetensors" in inside


def test_only_our_package_lands_in_site_packages(wheel: zipfile.ZipFile) -> None:
    top = {name.split("/")[0] for name in wheel.namelist()}
    assert {name for name in top if not name.endswith(".dist-info")} == {"luthier"}


def test_the_console_command_is_declared(wheel: zipfile.ZipFile) -> None:
    name = next(name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    assert "luthier = luthier.agent.cli.main:main" in wheel.read(name).decode()
