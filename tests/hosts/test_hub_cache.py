"""Models and datasets of the hub, brought from the cache here to a host that cannot download."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import try_to_load_from_cache

from luthier.agent.hosts.far.caches import own_caches
from luthier.agent.hosts.hub_cache import HubCache
from luthier.agent.states import RunState
from luthier.trainers.spec.file import build_spec

from .conftest import an_agent
from .servers import SshServer

_COMMIT = "0123456789abcdef0123456789abcdef01234567"
_OTHER = "f" * 40


def cached(home: Path, name: str, files: dict[str, str], commit: str = _COMMIT) -> Path:
    """A model in the cache below that HF_HOME, laid out as huggingface_hub does it."""
    repository = home / "hub" / f"models--{name.replace('/', '--')}"
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir(exist_ok=True)
    (repository / "refs" / "main").write_text(commit)
    (repository / "blobs").mkdir(exist_ok=True)
    for file, text in files.items():
        blob = repository / "blobs" / f"{commit[:4]}-{file}"
        blob.write_text(text)
        (snapshot / file).symlink_to(f"../../blobs/{blob.name}")
    return snapshot


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """HF_HOME of this machine."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_DATASETS_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "here"))
    return tmp_path / "here"


def test_an_offline_host_gets_what_is_cached_here(
    here: Path,
    tmp_path: Path,
    person: Path,
    another: Callable[..., SshServer],
    workshop: Any,
) -> None:
    there = tmp_path / "there"
    cached(here, "owner/adapter", {"adapter_config.json": '{"base_model_name_or_path": "small"}'})
    cached(here, "small", {"config.json": "{}"}, _OTHER)
    cached(here, "owner/common", {"config.json": "[1]"})
    cached(there, "owner/common", {"config.json": "[1]"})
    cached(there, "owner/only-there", {"config.json": "[2]"})
    (here / "datasets" / "owner___nice_rows" / "default").mkdir(parents=True)
    (here / "datasets" / "owner___nice_rows" / "default" / "rows.arrow").write_text("rows")
    server = another("offline", extra=f"SetEnv HF_HOME={there}\n")
    shutil.copy(server.key, person / ".ssh" / "id_ed25519")
    model = {"name_or_path": "owner/adapter", "tokenizer": "owner/common"}
    spec = workshop.spec({"steps": 1}, launch={"host": "far"}, model=model)
    spec["data"]["subset"] = "owner/NiceRows"
    with an_agent(tmp_path, server) as far:
        far.agent.terminate()
        far.know(offline=True)
        client = far.agent.start()
        run = client.submit(spec)
        assert far.agent.ended(run.id).state is RunState.SUCCEEDED
        environment = json.loads((far.attempt(run.id).path / "launch.json").read_text())[
            "environment"
        ]
        hub = far.folder / "hub"
        assert environment["HF_HUB_CACHE"] == str(hub)
        assert environment["HF_HUB_OFFLINE"] == "1"
        for name, file, text in (
            ("owner/adapter", "adapter_config.json", '{"base_model_name_or_path": "small"}'),
            ("small", "config.json", "{}"),
            ("owner/common", "config.json", "[1]"),
            ("owner/only-there", "config.json", "[2]"),
        ):
            found = try_to_load_from_cache(name, file, cache_dir=hub)
            assert isinstance(found, str), name
            assert Path(found).read_text() == text
        rows = Path(environment["HF_DATASETS_CACHE"]) / "owner___nice_rows/default/rows.arrow"
        assert rows.read_text() == "rows"
        # What the host had is not sent, and names stay names.
        assert str(there) in str((hub / "models--owner--common/snapshots" / _COMMIT).resolve())
        assert (
            "name_or_path: owner/adapter"
            in (far.folder / "runs" / run.id / "spec.yaml").read_text()
        )
        sent = {path: path.stat().st_ino for path in (far.folder / "blobs").rglob("*")}
        again = client.submit(spec)
        assert far.agent.ended(again.id).state is RunState.SUCCEEDED
        assert {path: path.stat().st_ino for path in (far.folder / "blobs").rglob("*")} == sent
        client.hosts.remove("far")
        assert not far.folder.exists()
        assert (there / "hub/models--owner--only-there/snapshots" / _COMMIT).is_dir()


def test_revisions_and_bases_are_found(here: Path) -> None:
    new = cached(here, "owner/model", {"config.json": "new"}, _OTHER)
    old = cached(here, "owner/model", {"config.json": "old"})
    (here / "hub/models--owner--model/refs/v1").write_text(_OTHER)
    spec = {
        "task": "llm-sft",
        "name": "owner/model",
        "model": {"name_or_path": "owner/model", "revision": "v1"},
        "data": {"path": "/no/such/file"},
    }
    found = HubCache().of_spec(build_spec(spec, source="spec.yaml"))
    assert {each.path for each in found} == {new, old}
    assert ("models--owner--model/refs/v1", _OTHER) in [ref for each in found for ref in each.refs]
    for revision in ("../../..", "no-such", ""):
        spec["model"] = {"name_or_path": "owner/model", "revision": revision}
        found = HubCache().of_spec(build_spec(spec, source="spec.yaml"))
        assert [each.path for each in found] == [old]
    for name in ("", "..", "../x", "owner/..", "nothing/here", "a b", "/"):
        assert HubCache().of_name(name) == []


def test_an_adapter_of_itself_ends(here: Path) -> None:
    base = '{"base_model_name_or_path": "owner/ring"}'
    cached(here, "owner/ring", {"adapter_config.json": base})
    assert len(HubCache().of_name("owner/ring")) == 1


@pytest.mark.parametrize(
    ("variables", "hub"),
    [
        ({"XDG_CACHE_HOME": "/x"}, "/x/huggingface/hub"),
        ({"HF_HOME": "/home"}, "/home/hub"),
        ({"HF_HOME": "/home", "HF_HUB_CACHE": "/elsewhere"}, "/elsewhere"),
        ({"HF_HUB_CACHE": "~/own"}, "HOME/own"),
    ],
)
def test_caches_are_where_the_library_has_them(
    variables: dict[str, str], hub: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME")
    for name in names:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert own_caches()["hub"] == hub.replace("HOME", str(Path.home()))
