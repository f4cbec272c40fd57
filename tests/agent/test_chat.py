"""Chats over the API: real workers behind real sockets, with tiny models made on the spot.

The models are written as files, so that this process never loads torch.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import httpx
import httpx2
import numpy as np
import openai
import psutil
import pytest
from fastapi import FastAPI
from safetensors.numpy import save_file

import luthier.trainers.demo as demo
from luthier.agent.api import chats as chats_api
from luthier.agent.api import openai as openai_api
from luthier.agent.api import refusals
from luthier.agent.api.errors import ApiError
from luthier.agent.api.openai_tcp import serve_openai
from luthier.agent.chat.sessions import ChatSessions
from luthier.agent.models import Attempt, Chat, GenerateChunk, RunDetail
from luthier.agent.paths import Home
from luthier.agent.server import AgentServer
from luthier.agent.settings import Settings
from luthier.agent.sse import decode_events
from luthier.agent.states import RunState

pytestmark = pytest.mark.training

_DEADLINE = 120.0
_WIDTH, _INNER, _LAYERS, _CONTEXT = 32, 64, 2, 4096
_SPECIAL_TOKENS = 6
_Value = TypeVar("_Value")


# -- models and runs -----------------------------------------------------------------------------


def write_model(folder: Path) -> None:
    """A random Llama with the demo's characters and template, which never ends by itself."""
    shutil.copytree(demo.MODEL, folder, ignore=shutil.ignore_patterns("*.safetensors", "gen*"))
    config = json.loads((folder / "config.json").read_text())
    vocabulary = config["vocab_size"]
    config |= {
        "hidden_size": _WIDTH,
        "intermediate_size": _INNER,
        "num_hidden_layers": _LAYERS,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": _WIDTH // 2,
        "max_position_embeddings": _CONTEXT,
        "tie_word_embeddings": False,
    }
    (folder / "config.json").write_text(json.dumps(config))
    draw = np.random.default_rng(5)

    def matrix(rows: int, columns: int) -> Any:
        return draw.normal(0, 0.5, (rows, columns)).astype(np.float32)

    ones = np.ones(_WIDTH, dtype=np.float32)
    weights = {
        "model.embed_tokens.weight": matrix(vocabulary, _WIDTH),
        "model.norm.weight": ones,
        "lm_head.weight": matrix(vocabulary, _WIDTH),
    }
    weights["lm_head.weight"][:_SPECIAL_TOKENS] = 0
    for layer in range(_LAYERS):
        head = f"model.layers.{layer}"
        for name in "qkvo":
            weights[f"{head}.self_attn.{name}_proj.weight"] = matrix(_WIDTH, _WIDTH)
        weights[f"{head}.mlp.gate_proj.weight"] = matrix(_INNER, _WIDTH)
        weights[f"{head}.mlp.up_proj.weight"] = matrix(_INNER, _WIDTH)
        weights[f"{head}.mlp.down_proj.weight"] = matrix(_WIDTH, _INNER)
        weights[f"{head}.input_layernorm.weight"] = ones
        weights[f"{head}.post_attention_layernorm.weight"] = ones
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def write_adapter(folder: Path, model: Path, seed: int) -> None:
    """A random LoRA adapter of that model, with its tokenizer."""
    shutil.copytree(model, folder, ignore=shutil.ignore_patterns("*.safetensors", "config.json"))
    draw = np.random.default_rng(seed)
    weights = {}
    for layer in range(_LAYERS):
        for name in ("q_proj", "v_proj"):
            head = f"base_model.model.model.layers.{layer}.self_attn.{name}"
            for part, shape in (("lora_A", (4, _WIDTH)), ("lora_B", (_WIDTH, 4))):
                values = draw.normal(0, 0.5, shape).astype(np.float32)
                weights[f"{head}.{part}.weight"] = values
    save_file(weights, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 4, "lora_alpha": 8}
    config |= {"target_modules": ["q_proj", "v_proj"], "base_model_name_or_path": str(model)}
    (folder / "adapter_config.json").write_text(json.dumps(config))


@dataclass
class Runs:
    """Finished runs over one base model, as the agent's core would know them."""

    folder: Path
    model: Path = field(init=False)
    known: dict[str, RunDetail] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.model = self.folder / "base"
        write_model(self.model)
        for seed, name in enumerate(("one", "two")):
            run = self.add(name)
            write_adapter(Path(run.folder) / "artifacts" / "adapter", self.model, seed)
        write_model(Path(self.add("whole").folder) / "artifacts" / "model")
        self.add("unborn", state=RunState.RUNNING)
        prompts = {"sample_prompts": [{"prompt": "2nd May 1901", "expected": "x"}]}
        (self.folder / "runs" / "one" / "preflight.json").write_text(json.dumps(prompts))

    def add(self, run_id: str, *, state: RunState = RunState.SUCCEEDED) -> RunDetail:
        folder = self.folder / "runs" / run_id
        folder.mkdir(parents=True)
        run = RunDetail(
            id=run_id,
            name=f"the-{run_id}",
            task="llm-sft",
            model=str(self.model),
            host="local",
            state=state,
            created_at=1e9,
            attempts=[Attempt(number=1, started_at=1e9, devices=["cpu"])],
            artifact=str(folder / "artifacts") if state.finished else None,
            folder=str(folder),
            spec={"model": {"name_or_path": str(self.model)}, "launch": {"offline": True}},
        )
        self.known[run_id] = run
        return run

    def find(self, asked: str) -> RunDetail:
        for run in self.known.values():
            if asked in (run.id, run.name):
                return run
        raise ApiError(404, f"There is no run {asked!r}.")


# -- the API on real sockets ---------------------------------------------------------------------


class Served:
    """ChatSessions behind the real routes on a Unix socket and a loopback port."""

    def __init__(self, home: Home, runs: Runs, settings: Settings) -> None:
        self.home, self.runs, self.settings = home, runs, settings
        self.port = 0
        self.chats: ChatSessions
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        assert self._up.wait(30)
        transport = httpx.HTTPTransport(uds=str(home.socket))
        self.http = httpx.Client(transport=transport, base_url="http://luthier", timeout=_DEADLINE)

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        self.chats = ChatSessions(
            self.home,
            self.settings,
            self.runs.find,
            list_runs=lambda: list(self.runs.known.values()),
        )
        # The chat routes use no other part of the agent.
        services: Any = SimpleNamespace(home=self.home, settings=self.settings, chats=self.chats)
        app = FastAPI()
        app.state.services = services
        app.include_router(chats_api.router)
        app.include_router(openai_api.router)
        refusals.install(app)
        server = AgentServer(app, owners_only=True)
        tcp = await serve_openai(services, 0)
        self.port = tcp.port
        import socket

        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.home.socket))
            listener.listen()
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            self._up.set()
            await self._end.wait()
            await self.chats.shutdown()
            server.end()
            await tcp.close()
            await serving

    def close(self) -> None:
        self.http.close()
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(30)
        assert not self._thread.is_alive()

    def open(self, *runs: str, **fields: Any) -> Chat:
        body = {"runs": list(runs), **fields}
        reply = self.http.post("/v1/chats", params={"wait": True}, json=body)
        assert reply.status_code in (200, 201), reply.text
        return Chat.model_validate_json(reply.content)

    def chat(self, chat_id: str) -> Chat:
        return Chat.model_validate_json(self.http.get(f"/v1/chats/{chat_id}").content)

    def pid(self, chat_id: str) -> int:
        pid = self.chats.get(chat_id).pid
        assert pid is not None
        return pid

    @contextmanager
    def generating(self, chat_id: str, **fields: Any) -> Iterator[Iterator[GenerateChunk]]:
        with self.http.stream(
            "POST", f"/v1/chats/{chat_id}/generate", json=question(**fields)
        ) as reply:
            assert reply.status_code == 200, reply.read()
            events = decode_events(reply.iter_lines())
            yield (GenerateChunk.model_validate_json(event.data) for event in events)

    def say(self, chat_id: str, **fields: Any) -> tuple[str, GenerateChunk]:
        with self.generating(chat_id, **fields) as chunks:
            heard = list(chunks)
        return "".join(chunk.text for chunk in heard), heard[-1]


def question(text: str = "Name a date", *, voice: str = "", **sampling: Any) -> dict[str, Any]:
    chosen = {"setting": "deterministic", "max_new_tokens": 20, **sampling}
    return {"messages": [{"role": "user", "content": text}], "voice": voice, "sampling": chosen}


def wait_for(look: Callable[[], _Value], what: str) -> _Value:
    deadline = time.monotonic() + _DEADLINE
    while not (found := look()):
        assert time.monotonic() < deadline, what
        time.sleep(0.02)
    return found


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@contextmanager
def serving(folder: Path, runs: Runs, **settings: Any) -> Iterator[Served]:
    home = Home(folder)
    home.create()
    served = Served(home, runs, Settings(**settings))
    try:
        yield served
    finally:
        served.close()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return Runs(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads only slow such small models down."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="module")
def served(runs: Runs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("home"), runs) as one:
        yield one


@pytest.fixture(scope="module")
def both(served: Served) -> Chat:
    """A chat with both adapters, loaded one after the other."""
    served.open("one")
    return served.open("two")


# -- opening and closing -------------------------------------------------------------------------


def test_opening_loads_in_the_background_and_more_adapters_join(served: Served) -> None:
    first = served.http.post("/v1/chats", json={"runs": ["one"]})
    assert first.status_code == 201
    assert first.json()["state"] == "loading"
    chat = served.open("one")
    assert (chat.state, chat.voices, chat.device) == ("ready", ["base", "one"], "cpu")
    assert chat.id == first.json()["id"]
    assert [prompt.content for prompt in chat.sample_prompts] == ["2nd May 1901"]
    pid, memory = served.pid(chat.id), chat.memory
    joined = served.open("two")
    assert (joined.id, joined.voices) == (chat.id, ["base", "one", "two"])
    assert served.pid(chat.id) == pid
    assert memory
    assert joined.memory
    assert joined.memory - memory < 30 * 1024**2
    assert [each["id"] for each in served.http.get("/v1/chats").json()] == [chat.id]


def test_voices_differ_and_base_is_the_model_alone(served: Served, both: Chat) -> None:
    texts = {voice: served.say(both.id, voice=voice)[0] for voice in both.voices}
    assert len(set(texts.values())) == 3
    # Without a voice the newest adapter answers.
    text, last = served.say(both.id)
    assert text == texts[both.voices[-1]]
    assert (last.finish, last.completion_tokens) == ("length", 20)
    assert last.prompt_tokens > 0
    assert last.first_token_seconds
    assert last.tokens_per_second


def test_a_model_alone_and_a_whole_model(served: Served, both: Chat, runs: Runs) -> None:
    alone = served.open(model=str(runs.model))
    assert alone.id == both.id
    whole = served.open("whole")
    try:
        assert whole.id != both.id
        assert whole.voices == ["whole"]
        # The weights are the same, only saved as a run's own.
        assert served.say(whole.id)[0] == served.say(both.id, voice="base")[0]
    finally:
        pid = served.pid(whole.id)
        assert served.http.delete(f"/v1/chats/{whole.id}").status_code == 204
    assert is_gone(pid)
    assert served.http.get(f"/v1/chats/{whole.id}").status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({}, 422, "Name the runs or the model"),
        ({"runs": ["one"], "model": "x"}, 422, "not both"),
        ({"runs": ["none"]}, 404, "There is no run 'none'."),
        ({"runs": ["unborn"]}, 409, "Run unborn is running"),
        ({"runs": ["one", "whole"]}, 422, "cannot share one loaded model"),
        ({"run": "one"}, 422, "run"),
    ],
)
def test_opening_is_refused_in_a_sentence(
    served: Served, body: dict[str, Any], status: int, said: str
) -> None:
    reply = served.http.post("/v1/chats", json=body)
    assert reply.status_code == status
    assert said in reply.json()["error"]


def test_a_model_that_cannot_be_loaded_fails_with_the_reason(served: Served, runs: Runs) -> None:
    chat = served.open(model=str(runs.folder / "nowhere"))
    assert chat.state == "failed"
    assert "nowhere" in chat.error
    assert "Traceback" not in chat.error
    _, last = served.say(chat.id)
    assert (last.finish, last.error) == ("error", chat.error)
    log = served.home.path / "chats" / f"{chat.id}.log"
    assert "Traceback" in log.read_text()
    served.http.delete(f"/v1/chats/{chat.id}")


def test_an_adapter_that_cannot_be_loaded_leaves_the_others_alone(
    served: Served, both: Chat, runs: Runs
) -> None:
    broken = Path(runs.add("broken").folder) / "artifacts" / "adapter"
    write_adapter(broken, runs.model, 9)
    (broken / "adapter_model.safetensors").write_bytes(b"no tensors")
    chat = served.open("broken")
    assert chat.id == both.id
    assert (chat.state, chat.voices) == ("ready", ["base", "one", "two"])
    assert chat.error.startswith("broken cannot be loaded: ")
    reply = served.http.post(f"/v1/chats/{chat.id}/generate", json=question(voice="broken"))
    assert (reply.status_code, reply.json()["error"]) == (422, chat.error)
    assert served.say(chat.id, voice="one")[1].finish == "length"
    del runs.known["broken"]


# -- answering -----------------------------------------------------------------------------------


def test_questions_are_refused_before_anything_is_written(served: Served, both: Chat) -> None:
    path = f"/v1/chats/{both.id}/generate"
    reply = served.http.post(path, json=question(voice="nobody"))
    assert reply.status_code == 422
    assert "has no voice 'nobody'" in reply.json()["error"]
    assert served.http.post(path, json={"messages": []}).status_code == 422
    assert served.http.post("/v1/chats/none/generate", json=question()).status_code == 404
    _, last = served.say(both.id, text="x" * 5000)
    assert last.finish == "error"
    assert "has 5003 tokens" in last.error


def test_batch(served: Served, both: Chat) -> None:
    conversations = [[{"role": "user", "content": text}] for text in ("a", "bb", "ccc")]
    body = {**question(voice="one"), "conversations": conversations}
    del body["messages"]
    reply = served.http.post(f"/v1/chats/{both.id}/batch", json=body)
    assert reply.status_code == 200
    singles = [served.say(both.id, text=text, voice="one")[0] for text in ("a", "bb", "ccc")]
    assert reply.json()["texts"] == singles
    body["conversations"].append([{"role": "user", "content": "x" * 5000}])
    reply = served.http.post(f"/v1/chats/{both.id}/batch", json=body)
    assert reply.status_code == 422
    assert reply.json()["error"].startswith("Conversation 4: The conversation has 5003 tokens")


def test_cancel_ends_the_answer(served: Served, both: Chat) -> None:
    with served.generating(both.id, max_new_tokens=4000) as chunks:
        next(chunks)
        assert served.chat(both.id).state == "busy"
        assert served.http.post(f"/v1/chats/{both.id}/cancel").status_code == 204
        *_, last = chunks
    assert last.finish == "cancelled"
    assert last.completion_tokens < 4000
    assert served.chat(both.id).state == "ready"


def test_a_client_that_goes_away_cancels_its_answer(served: Served, both: Chat) -> None:
    with served.generating(both.id, max_new_tokens=4000) as chunks:
        next(chunks)
    left = time.monotonic()
    text, last = served.say(both.id, voice="one", max_new_tokens=3)
    assert last.finish == "length"
    assert text
    # The whole answer would have taken several seconds.
    assert time.monotonic() - left < 2


def test_a_client_that_goes_away_cancels_its_batch(served: Served, both: Chat) -> None:
    body = {**question(max_new_tokens=4000), "conversations": [question()["messages"]] * 8}
    del body["messages"]
    with pytest.raises(httpx.ReadTimeout):
        served.http.post(f"/v1/chats/{both.id}/batch", json=body, timeout=0.5)
    wait_for(lambda: served.chat(both.id).state == "ready", "the batch is cancelled")


def test_two_clients_are_answered_in_turn(served: Served, both: Chat) -> None:
    expected = {voice: served.say(both.id, voice=voice)[0] for voice in ("one", "two", "base")}
    with ThreadPoolExecutor(6) as pool:
        voices = ["one", "two", "base"] * 2
        heard = list(pool.map(lambda voice: served.say(both.id, voice=voice)[0], voices))
    assert heard == [expected[voice] for voice in voices]


# -- how a worker ends ---------------------------------------------------------------------------


def test_a_killed_worker_is_said_and_started_anew(served: Served, both: Chat) -> None:
    pid = served.pid(both.id)
    with (
        served.generating(both.id, max_new_tokens=4000) as chunks,
        ThreadPoolExecutor(1) as pool,
    ):
        next(chunks)
        waiting = pool.submit(served.say, both.id, voice="one")
        os.kill(pid, signal.SIGKILL)
        *_, last = chunks
        assert last.finish == "error"
        assert "killed by signal 9 (SIGKILL)" in last.error
        # Who waited for a turn is answered by the next worker.
        assert waiting.result()[1].finish == "length"
    assert served.pid(both.id) != pid
    os.kill(served.pid(both.id), signal.SIGKILL)
    wait_for(lambda: served.chat(both.id).state == "failed", "the loss is seen")
    assert "SIGKILL" in served.chat(both.id).error
    assert served.say(both.id, voice="two")[1].finish == "length"
    assert served.chat(both.id).state == "ready"


def test_an_idle_chat_gives_its_memory_back_and_wakes_up(runs: Runs, tmp_path: Path) -> None:
    with serving(tmp_path, runs, chat_idle_seconds=0.2) as served:
        chat = served.open("one")
        pid = served.pid(chat.id)
        wait_for(lambda: is_gone(pid), "the idle worker ends")
        assert served.http.get("/v1/chats").json() == []
        assert "was idle" in served.http.get(f"/v1/chats/{chat.id}").json()["error"]
        text, last = served.say(chat.id)
        assert (last.finish, len(text)) == ("length", 20)
        # A long answer is not idleness.
        assert served.say(chat.id, max_new_tokens=300)[1].finish == "length"


def test_the_end_of_the_agent_ends_its_workers(runs: Runs, tmp_path: Path) -> None:
    with serving(tmp_path, runs) as served:
        pid = served.pid(served.open("one").id)
        # Neither a worker that is still loading nor one that is writing is left behind.
        loading = served.http.post("/v1/chats", json={"runs": ["whole"]}).json()
        started = wait_for(lambda: served.chats.get(loading["id"]).pid, "the other one starts")
    assert is_gone(pid)
    assert is_gone(started)


# -- OpenAI clients ------------------------------------------------------------------------------


@pytest.fixture
def client(served: Served) -> Iterator[openai.OpenAI]:
    """OpenAI's own client over the Unix socket, which needs no token."""
    transport = httpx2.HTTPTransport(uds=str(served.home.socket))
    with openai.OpenAI(
        base_url="http://luthier/openai/v1",
        api_key="none",
        max_retries=0,
        http_client=httpx2.Client(transport=transport),
    ) as one:
        yield one


_ASKED: Any = [
    {"role": "developer", "content": "Be short."},
    {"role": "user", "content": [{"type": "text", "text": "Name a date"}]},
]


def test_models_are_finished_runs_and_their_bases(client: openai.OpenAI) -> None:
    ids = [model.id for model in client.models.list()]
    assert ids == [
        *("the-one", "the-one:base", "the-two", "the-two:base"),
        *("the-whole", "the-whole:base"),
    ]


def test_completions_whole_and_streamed_are_the_chat_s_answer(
    client: openai.OpenAI, served: Served, both: Chat
) -> None:
    messages = [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": "Name a date"},
    ]
    for model, voice in (("the-one", "one"), ("one:base", "base"), ("the-whole:base", "base")):
        body = {**question(voice=voice, max_new_tokens=12), "messages": messages}
        reply = served.http.post(f"/v1/chats/{both.id}/generate", json=body)
        chunks = [json.loads(event.data) for event in decode_events(reply.text.splitlines())]
        expected = "".join(chunk["text"] for chunk in chunks)
        whole = client.chat.completions.create(
            model=model, messages=_ASKED, temperature=0, max_tokens=12, user="somebody"
        )
        assert whole.choices[0].message.content == expected
        assert whole.choices[0].finish_reason == "length"
        assert whole.usage
        assert whole.usage.completion_tokens == 12
        assert whole.usage.total_tokens == whole.usage.prompt_tokens + 12
        stream = client.chat.completions.create(
            model=model,
            messages=_ASKED,
            temperature=0,
            max_completion_tokens=12,
            stream=True,
            stream_options={"include_usage": True},
        )
        pieces = list(stream)
        text = "".join(p.choices[0].delta.content or "" for p in pieces if p.choices)
        assert text == expected
        assert pieces[-2].choices[0].finish_reason == "length"
        assert pieces[-1].usage
        assert pieces[-1].usage.completion_tokens == 12


def test_stop_and_seed(client: openai.OpenAI, both: Chat) -> None:
    def ask(**fields: Any) -> str:
        done = client.chat.completions.create(
            model="one", messages=_ASKED, max_tokens=30, temperature=1.5, **fields
        )
        return str(done.choices[0].message.content)

    text = ask(seed=4)
    assert ask(seed=4) == text
    assert ask(seed=-5) != text
    assert ask(seed=4, stop=text[5:8]) == text[: text.index(text[5:8])]


@pytest.mark.parametrize(
    ("fields", "kind", "said"),
    [
        ({"model": "none"}, openai.NotFoundError, "There is no run 'none'."),
        ({"model": "unborn"}, openai.ConflictError, "Run unborn is running"),
        ({"n": 2}, openai.BadRequestError, "n must be 1"),
        (
            {"tools": [{"type": "function", "function": {"name": "f"}}]},
            openai.BadRequestError,
            "tools cannot be used",
        ),
        (
            {"response_format": {"type": "json_object"}},
            openai.BadRequestError,
            "response_format must be text",
        ),
        ({"temperature": 9}, openai.BadRequestError, "temperature"),
        ({"messages": []}, openai.BadRequestError, "messages"),
        (
            {"messages": [{"role": "user", "content": "x" * 5000}]},
            openai.BadRequestError,
            "has 5003 tokens",
        ),
        (
            {"messages": [{"role": "user", "content": "x" * 5000}], "stream": True},
            openai.BadRequestError,
            "has 5003 tokens",
        ),
    ],
)
def test_openai_refusals(
    client: openai.OpenAI, both: Chat, fields: dict[str, Any], kind: type, said: str
) -> None:
    with pytest.raises(kind) as caught:
        client.chat.completions.create(**{"model": "one", "messages": _ASKED, **fields})
    assert said in caught.value.body["message"]
    assert caught.value.body["type"] == "invalid_request_error"


def test_harmless_parameters_are_ignored(client: openai.OpenAI, both: Chat) -> None:
    done = client.chat.completions.create(
        model="one",
        messages=_ASKED,
        max_tokens=2,
        n=1,
        presence_penalty=0,
        tools=[],
        response_format={"type": "text"},
        metadata={"a": "b"},
        extra_body={"unheard_of": True},
    )
    assert done.usage
    assert done.usage.completion_tokens == 2


def test_the_port_needs_the_token_and_serves_nothing_else(served: Served, both: Chat) -> None:
    token_file = served.home.token
    assert token_file.stat().st_mode & 0o777 == 0o600
    base = f"http://127.0.0.1:{served.port}"
    token = token_file.read_text().strip()
    with openai.OpenAI(base_url=f"{base}/openai/v1", api_key=token, max_retries=0) as client:
        done = client.chat.completions.create(model="one", messages=_ASKED, max_tokens=3)
        assert done.choices[0].message.content
        wrong = client.with_options(api_key=token[:-1])
        with pytest.raises(openai.AuthenticationError, match="token is missing or wrong"):
            wrong.models.list()
    for headers in ({}, {"Authorization": token}, {"Authorization": "Bearer x"}):
        assert httpx.get(f"{base}/openai/v1/models", headers=headers).status_code == 401
        assert httpx.get(f"{base}/v1/chats", headers=headers).status_code == 401
    allowed = {"Authorization": f"Bearer {token}"}
    for path in ("/v1/chats", "/openapi.json", "/docs"):
        assert httpx.get(base + path, headers=allowed).status_code == 404
