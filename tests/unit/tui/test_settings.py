"""interface.yaml and key profiles: strict, and helpful when wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.agent.paths import Home
from luthier.trainers.errors import LuthierError
from luthier.tui import settings
from luthier.tui.bindings import bindings, load_profile, normal_keys
from luthier.tui.keys import TABLE
from luthier.tui.settings import InterfaceSettings

# Keys that tmux, screen or the terminal itself take, or that are other names of common keys.
TAKEN = {f"ctrl+{letter}" for letter in "abshim["}


def write(folder: Path, text: str) -> Path:
    path = folder / "file.yaml"
    path.write_text(text)
    return path


def test_without_a_file_everything_is_default(tmp_path: Path) -> None:
    assert settings.load(tmp_path / "none.yaml") == InterfaceSettings()


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    wanted = InterfaceSettings(theme="nord", glyphs="ascii", mouse=False, units="decimal")
    settings.save(tmp_path / "new" / "interface.yaml", wanted)
    assert settings.load(tmp_path / "new" / "interface.yaml") == wanted
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["interface.yaml"]


def test_only_what_differs_is_written(tmp_path: Path) -> None:
    settings.save(tmp_path / "interface.yaml", InterfaceSettings(offline=True))
    assert (tmp_path / "interface.yaml").read_text() == "offline: true\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("them: nord", ["them: there is no such key", "Did you mean theme?"]),
        ("theme: nort", ["theme: there is no theme nort", "Did you mean nord?"]),
        ("glyphs: fancy", ["glyphs", "'unicode'"]),
        ("mouse: 7", ["mouse"]),
        ("- a", ["key: value"]),
        ("a: [", ["line 1", "not valid YAML"]),
    ],
)
def test_a_mistake_names_file_key_and_remedy(tmp_path: Path, text: str, words: list[str]) -> None:
    path = write(tmp_path, text)
    with pytest.raises(LuthierError) as caught:
        settings.load(path)
    assert str(path) in str(caught.value)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "interface.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(LuthierError, match="not UTF-8"):
        settings.load(path)


def test_settings_that_cannot_be_written_say_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LuthierError, match="cannot be written"):
        settings.save(tmp_path / "file" / "interface.yaml", InterfaceSettings())


@pytest.mark.parametrize(
    ("units", "count", "words"),
    [
        ("binary", 0, "0 B"),
        ("binary", 1536, "1.5 KiB"),
        ("binary", 24 * 2**30, "24.0 GiB"),
        ("binary", 500 * 2**30, "500 GiB"),
        ("decimal", 24 * 2**30, "25.8 GB"),
        ("decimal", 1500, "1.5 kB"),
        ("binary", None, ""),
    ],
)
def test_sizes_have_the_chosen_units(units: str, count: float | None, words: str) -> None:
    assert InterfaceSettings(units=units).size(count) == words


@given(st.floats(min_value=0, max_value=1e30), st.sampled_from(["binary", "decimal"]))
def test_every_size_is_short(count: float, units: str) -> None:
    size = InterfaceSettings(units=units).size(count)
    assert count > 1e16 or len(size) <= 9


def test_a_key_profile_may_start_in_the_home(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert InterfaceSettings(keys="mine.yaml").keys_path(home) == tmp_path / "mine.yaml"
    assert InterfaceSettings(keys="/etc/keys").keys_path(home) == Path("/etc/keys")
    assert InterfaceSettings().keys_path(home) is None


def test_a_profile_maps_ids_to_keys(tmp_path: Path) -> None:
    path = write(tmp_path, "runs.stop: k2\nruns.remove: [ctrl+x, Q]\nruns.new: 5\n")
    assert load_profile(path) == {
        "runs.stop": "k2",
        "runs.remove": "ctrl+x,Q",
        "runs.new": "5",
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("runs.stopp: k", ["runs.stopp", "Did you mean runs.stop?"]),
        ("runs.stop:", ["runs.stop", "names no key"]),
        ("runs.stop: n", ["n is the key of both", "runs.new", "runs.stop"]),
        ("runs.stop: '?'\nruns.new: question_mark", ["question_mark is the key of both"]),
    ],
)
def test_a_wrong_profile_names_the_id(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(LuthierError) as caught:
        load_profile(write(tmp_path, text))
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_profile_may_swap_two_keys(tmp_path: Path) -> None:
    path = write(tmp_path, "runs.stop: X\nruns.stop_now: x\n")
    assert load_profile(path) == {"runs.stop": "X", "runs.stop_now": "x"}


def test_a_missing_profile_is_named(tmp_path: Path) -> None:
    with pytest.raises(LuthierError, match=r"none\.yaml: the key profile does not exist"):
        load_profile(tmp_path / "none.yaml")


@pytest.mark.parametrize("section", TABLE)
def test_no_section_uses_one_key_twice(section: str) -> None:
    used = [key for entry in TABLE[section].values() for key in normal_keys(entry.keys)]
    assert len(used) == len(set(used))


@pytest.mark.parametrize("section", TABLE)
def test_no_key_belongs_to_the_terminal(section: str) -> None:
    for entry in TABLE[section].values():
        first, *_ = keys = normal_keys(entry.keys)
        assert not TAKEN & set(keys), entry
        assert not all(key.startswith("alt+") for key in keys), entry
        assert first not in ("shift+enter", "ctrl+enter"), entry


def test_bindings_carry_their_ids() -> None:
    found = {binding.id: binding for binding in bindings("runs")}
    assert found["runs.stop"].key == "x"
    assert found["runs.stop"].action == "stop"
