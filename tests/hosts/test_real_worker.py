"""The real trainer and chat worker on another host: nothing of ours is installed there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from luthier.agent.models import ChatMessage, GenerateRequest, OpenChatRequest, RunDetail, Sampling
from luthier.agent.processes import marked_processes
from luthier.agent.states import RunState
from luthier.trainers.demo import MODEL, TRAIN, demo_spec_text

from .conftest import Far, a_person, a_server, an_agent

pytestmark = [pytest.mark.training, pytest.mark.slow, pytest.mark.timeout(900)]
_PATIENCE = 280.0
_STEPS = 12
_SHORT = [
    "launch.host=far",
    f"training.max_steps={_STEPS}",
    "training.logging_steps=1",
    "training.save_steps=4",
    "training.per_device_train_batch_size=8",
    "data.max_rows=400",
    "evaluation.strategy=no",
]
_TOKEN = "hf_thisMustNotBeFoundAnywhere"


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Far]:
    """A host whose Python has the training packages."""
    folder = tmp_path_factory.mktemp("real")
    with (
        pytest.MonkeyPatch.context() as patch,
        a_person(folder / "person") as person,
        a_server(folder / "sshd", person) as server,
    ):
        patch.setenv("HF_TOKEN", _TOKEN)
        for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_DATASETS_CACHE"):
            patch.delenv(name, raising=False)
        patch.setenv("HF_HOME", str(folder / "cache"))
        _fill_cache(folder / "cache")
        with an_agent(folder, server, worker_command=[], tcp_port=0) as found:
            found.agent.terminate()
            found.know(worker=None, offline=True)
            found.agent.start()
            yield found


def _fill_cache(home: Path) -> None:
    """A model and a dataset as the hub's libraries leave them behind."""
    repository = home / "hub" / "models--luthier-test--tiny"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("c" * 40)
    shutil.copytree(MODEL, repository / "snapshots" / ("c" * 40))
    # Prepared under a name of its own, since only the hub hands out those with an owner.
    prepare = (
        "import sys; from datasets.packaged_modules.json.json import Json; "
        "Json(dataset_name='rows', data_files={'train': [sys.argv[1]]}, hash='a' * 40)"
        ".download_and_prepare()"
    )
    subprocess.run([sys.executable, "-c", prepare, str(TRAIN)], check=True, capture_output=True)
    (configuration,) = (home / "datasets" / "rows").iterdir()
    owned = home / "datasets" / "luthier-test___rows"
    owned.mkdir()
    configuration.rename(owned / "default")


@pytest.fixture(scope="module")
def trained(far: Far) -> RunDetail:
    """A run that was stopped there and went on."""
    client = far.agent.client
    run = client.submit(demo_spec_text(), overrides=[*_SHORT, "name=violin"])
    far.agent.reached(run.id, 5, seconds=_PATIENCE)
    assert not _environment_of_worker(far, run.id, b"HF_TOKEN")
    client.stop(run.id)
    stopped = far.agent.ended(run.id, seconds=_PATIENCE)
    assert stopped.state is RunState.STOPPED
    client.resume(run.id)
    done: RunDetail = far.agent.ended(run.id, seconds=_PATIENCE)
    return done


def _environment_of_worker(far: Far, run: str, name: bytes) -> list[bytes]:
    """What the processes of the run have of that variable."""
    found = []
    for process in marked_processes(f"{run}/1"):
        variables = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
        found += [each for each in variables if each.startswith(name + b"=")]
    return found


def test_the_demo_trains_there(far: Far, trained: RunDetail) -> None:
    assert (trained.state, trained.reason, trained.host) == (RunState.SUCCEEDED, "", "far")
    assert far.agent.stored_steps(trained.id) == list(range(1, _STEPS + 1))
    assert trained.placement is not None
    assert trained.placement["devices"] == ["cpu"]
    home = far.agent.home.run(trained.id)
    there = far.attempt(trained.id).path.parent
    name = "artifacts/adapter/adapter_model.safetensors"
    assert (home.path / name).read_bytes() == (there / name).read_bytes()
    # The code came as a bundle and is what was used.
    assert str(far.folder / "bundles") in (there / "attempt-1" / "launch.json").read_text()


def test_it_is_chatted_with_there(far: Far, trained: RunDetail, wait: Callable[..., Any]) -> None:
    client = far.agent.client
    chat = client.chats.open(OpenChatRequest(runs=[trained.id]), wait=True)
    assert (chat.state, chat.voices, chat.error) == ("ready", ["base", trained.id], "")
    log = far.folder / "chats" / f"{chat.id}.log"
    assert log.exists()
    request = GenerateRequest(
        messages=[ChatMessage(role="user", content="March 4, 2025")],
        sampling=Sampling(setting="deterministic", max_new_tokens=12),
    )
    pieces = list(client.chats.generate(chat.id, request))
    assert pieces[-1].finish in ("stop", "length")
    text = "".join(piece.text for piece in pieces)
    assert text
    transport = httpx2.HTTPTransport(uds=str(far.agent.home.socket))
    with openai.OpenAI(
        base_url="http://luthier/openai/v1",
        api_key="none",
        http_client=httpx2.Client(transport=transport),
    ) as remote:
        answer = remote.chat.completions.create(
            model=trained.name,
            messages=[{"role": "user", "content": "March 4, 2025"}],
            temperature=0,
            max_tokens=12,
        )
    assert answer.choices[0].message.content == text
    long = client.chats.generate(chat.id, request.model_copy(update={"sampling": _long()}))
    next(long)
    threading.Thread(target=client.chats.stop, args=(chat.id,)).start()
    assert [piece.finish for piece in long][-1] in ("cancelled", "stop")
    pid = _chat_worker(far)
    client.chats.close(chat.id)
    wait(lambda: not os.path.exists(f"/proc/{pid}"))


def _long() -> Sampling:
    return Sampling(setting="creative", temperature=5.0, max_new_tokens=4000, seed=1)


def _chat_worker(far: Far) -> int:
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            variables = path.read_bytes().split(b"\0")
            command = (path.parent / "cmdline").read_bytes()
        except OSError:
            continue
        ours = any(str(far.folder).encode() in each for each in variables)
        if ours and b"luthier.trainers.chat.worker" in command:
            return int(path.parent.name)
    raise AssertionError("there is no chat worker on the host")


def test_model_and_data_of_the_hub_come_from_the_cache_here(far: Far) -> None:
    client = far.agent.client
    names = ["model.name_or_path=luthier-test/tiny", "data.path=luthier-test/rows", "name=cached"]
    run = client.submit(demo_spec_text(), overrides=[*_SHORT, *names, "training.max_steps=2"])
    done = far.agent.ended(run.id, seconds=_PATIENCE)
    assert (done.state, done.reason) == (RunState.SUCCEEDED, "")
    # What comes back names the model as the hub does.
    adapter = json.loads((far.agent.home.run(run.id).adapter / "adapter_config.json").read_text())
    assert adapter["base_model_name_or_path"] == "luthier-test/tiny"
    chat = client.chats.open(OpenChatRequest(runs=[run.id]), wait=True)
    assert (chat.state, chat.error) == ("ready", "")
    client.chats.close(chat.id)


def test_the_token_goes_only_where_the_spec_sends_it(far: Far, trained: RunDetail) -> None:
    client = far.agent.client
    run = client.submit(
        demo_spec_text(), overrides=[*_SHORT, "launch.send_hub_token=true", "name=secret"]
    )
    far.agent.reached(run.id, 1, seconds=_PATIENCE)
    assert set(_environment_of_worker(far, run.id, b"HF_TOKEN")) == {f"HF_TOKEN={_TOKEN}".encode()}
    for process in marked_processes(f"{run.id}/1"):
        assert _TOKEN.encode() not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
    client.stop(run.id, now=True)
    far.agent.ended(run.id, seconds=_PATIENCE)
    for top in (far.folder, far.agent.home.path):
        for path in top.rglob("*"):
            if path.is_file():
                assert _TOKEN.encode() not in path.read_bytes(), path
