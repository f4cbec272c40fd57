"""The whole way: the client, a real agent, and a run of its own that becomes a chat."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import httpx2
import openai
import psutil
import pytest

from luthier.agent.client import Client
from luthier.agent.errors import RefusedError
from luthier.agent.models import (
    BatchRequest,
    ChatMessage,
    GenerateRequest,
    OpenChatRequest,
    Sampling,
)

from ..documented import Documented
from .models import write_adapter, write_model

if TYPE_CHECKING:
    from ..conftest import RealAgent, Workshop

pytestmark = pytest.mark.training


def _ask(text: str, **sampling: Any) -> GenerateRequest:
    chosen = Sampling(setting="deterministic", **{"max_new_tokens": 10, **sampling})
    return GenerateRequest(messages=[ChatMessage(role="user", content=text)], sampling=chosen)


def test_a_run_s_result_is_chatted_with(
    real_agent: RealAgent, workshop: Workshop, wait: Callable[..., Any], tmp_path: Path
) -> None:
    model = tmp_path / "model"
    write_model(model)
    real_agent.write_settings(tcp_port=0)
    client = real_agent.start(OMP_NUM_THREADS="1")
    spec = workshop.spec({"steps": 2}, name="violin", model={"name_or_path": str(model)})
    run = real_agent.ended(client.submit(spec).id)
    # The stand-in worker trains nothing; this is what a real one leaves.
    write_adapter(Path(run.folder) / "artifacts" / "adapter", model, 1)

    chat = client.chats.open(OpenChatRequest(runs=["violin"]))
    wait(lambda: client.chats.get(chat.id).state, lambda state: state != "loading", 120)
    chat = client.chats.get(chat.id)
    assert (chat.state, chat.voices, chat.error) == ("ready", ["base", run.id], "")
    assert [each.id for each in client.chats.all()] == [chat.id]
    assert client.hardware().devices[0].guests == [f"chat {chat.id} with {run.id}"]
    _is_as_documented(real_agent, chat.id, run.id)

    pieces = list(client.chats.generate(chat.id, _ask("hello")))
    assert pieces[-1].finish == "length"
    text = "".join(piece.text for piece in pieces)
    conversations = [_ask("hello").messages] * 3
    answers = client.chats.batch(
        chat.id, BatchRequest(conversations=conversations, sampling=_ask("").sampling)
    )
    assert answers.texts == [text] * 3

    long = client.chats.generate(chat.id, _ask("hello", max_new_tokens=4000))
    next(long)
    stopper = threading.Thread(target=_stop, args=(real_agent, chat.id))
    stopper.start()
    assert [piece.finish for piece in long][-1] == "cancelled"
    stopper.join()

    port, token = client.status().tcp_port, real_agent.home.token.read_text().strip()
    with openai.OpenAI(base_url=f"http://127.0.0.1:{port}/openai/v1", api_key=token) as remote:
        _is_asked(remote, text)
    transport = httpx2.HTTPTransport(uds=str(real_agent.home.socket))
    with openai.OpenAI(
        base_url="http://luthier/openai/v1",
        api_key="none",
        http_client=httpx2.Client(transport=transport),
    ) as local:
        _is_asked(local, text)

    assert real_agent.process
    (worker,) = (
        child
        for child in psutil.Process(real_agent.process.pid).children()
        if "luthier.trainers.chat.worker" in child.cmdline()
    )
    with httpx.Client(
        transport=httpx.HTTPTransport(uds=str(real_agent.home.socket)), base_url="http://luthier"
    ) as http:
        closed = http.delete(f"/v1/chats/{chat.id}", timeout=60)
        assert Documented(http).check("close_chat", closed) is None
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
    assert client.hardware().devices[0].guests == []
    with pytest.raises(RefusedError, match="There is no chat"):
        client.chats.get(chat.id)


def _is_as_documented(agent: RealAgent, chat_id: str, run_id: str) -> None:
    transport = httpx.HTTPTransport(uds=str(agent.home.socket))
    with httpx.Client(transport=transport, base_url="http://luthier", timeout=60) as http:
        documented = Documented(http)
        path, question = f"/v1/chats/{chat_id}", _ask("hello").model_dump()
        one = {key: question[key] for key in ("voice", "sampling")}
        batch = {**one, "conversations": [question["messages"]]}
        completion = {"model": "violin", "messages": question["messages"], "max_tokens": 5}
        for operation, method, where, body in (
            ("open_chat", "POST", "/v1/chats", {"runs": [run_id]}),
            ("open_chat", "POST", "/v1/chats", {"runs": ["nobody"]}),
            ("open_chat", "POST", "/v1/chats", {}),
            ("open_chat", "POST", "/v1/chats", {"runs": 3}),
            ("get_chat", "GET", path, None),
            ("generate_batch", "POST", f"{path}/batch", batch),
            ("generate_batch", "POST", f"{path}/batch", {**batch, "voice": "nobody"}),
            ("cancel_generation", "POST", f"{path}/cancel", None),
            ("openai_chat_completions", "POST", "/openai/v1/chat/completions", completion),
            ("openai_chat_completions", "POST", "/openai/v1/chat/completions", {}),
        ):
            documented.check(operation, http.request(method, where, json=body))
        with http.stream("POST", f"{path}/generate", json=question) as stream:
            assert documented.check_stream("generate", stream)[-1]["finish"] == "length"
        refused = http.post(f"{path}/generate", json={**question, "voice": "nobody"})
        assert "no voice 'nobody'" in documented.check("generate", refused)["error"]


def _stop(agent: RealAgent, chat_id: str) -> None:
    with Client(agent.home, start=False) as other:
        other.chats.stop(chat_id)


def _is_asked(client: openai.OpenAI, expected: str) -> None:
    assert [model.id for model in client.models.list()] == ["violin", "violin:base"]
    done = client.chat.completions.create(
        model="violin",
        messages=[{"role": "user", "content": "hello"}],
        temperature=0,
        max_tokens=10,
    )
    assert done.choices[0].message.content == expected
    with pytest.raises(openai.NotFoundError, match="There is no run 'viola'"):
        client.chat.completions.create(
            model="viola", messages=[{"role": "user", "content": "hello"}]
        )


def test_a_killed_agent_leaves_no_chat_worker(
    real_agent: RealAgent, wait: Callable[..., Any], tmp_path: Path
) -> None:
    write_model(tmp_path / "model")
    client = real_agent.start()
    client.chats.open(OpenChatRequest(model=str(tmp_path / "model")))
    assert real_agent.process
    agent = psutil.Process(real_agent.process.pid)
    (worker,) = wait(agent.children)
    real_agent.kill()
    wait(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)
