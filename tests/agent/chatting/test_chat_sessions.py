"""Chats over the API: real workers with tiny models, and how they live and end."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from luthier.agent.models import Chat

from .models import write_adapter
from .serving import Runs, Served, is_gone, question, serving

pytestmark = pytest.mark.training


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
    _, last = served.say(both.id, voice="one", max_new_tokens=50)
    waited = time.monotonic() - left
    assert last.finish == "length"
    assert last.tokens_per_second
    # Had it been written to its end, that alone would have taken far longer.
    assert waited < 4000 / last.tokens_per_second / 2


def test_a_client_that_goes_away_cancels_its_batch(
    served: Served, both: Chat, wait: Callable[..., Any]
) -> None:
    body = {**question(max_new_tokens=4000), "conversations": [question()["messages"]] * 8}
    del body["messages"]
    with pytest.raises(httpx.ReadTimeout):
        served.http.post(f"/v1/chats/{both.id}/batch", json=body, timeout=0.5)
    wait(lambda: served.chat(both.id).state == "ready")


def test_two_clients_are_answered_in_turn(served: Served, both: Chat) -> None:
    expected = {voice: served.say(both.id, voice=voice)[0] for voice in ("one", "two", "base")}
    with ThreadPoolExecutor(6) as pool:
        voices = ["one", "two", "base"] * 2
        heard = list(pool.map(lambda voice: served.say(both.id, voice=voice)[0], voices))
    assert heard == [expected[voice] for voice in voices]


# -- how a worker ends ---------------------------------------------------------------------------


def test_a_killed_worker_is_said_and_started_anew(
    served: Served, both: Chat, wait: Callable[..., Any]
) -> None:
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
    wait(lambda: served.chat(both.id).state == "failed")
    assert "SIGKILL" in served.chat(both.id).error
    assert served.say(both.id, voice="two")[1].finish == "length"
    assert served.chat(both.id).state == "ready"


def test_an_idle_chat_gives_its_memory_back_and_wakes_up(
    runs: Runs, tmp_path: Path, wait: Callable[..., Any]
) -> None:
    with serving(tmp_path, runs, chat_idle_seconds=0.2) as served:
        chat = served.open("one")
        pid = served.pid(chat.id)
        wait(lambda: is_gone(pid))
        assert served.http.get("/v1/chats").json() == []
        assert "was idle" in served.http.get(f"/v1/chats/{chat.id}").json()["error"]
        text, last = served.say(chat.id)
        assert (last.finish, len(text)) == ("length", 20)
        # A long answer is not idleness.
        assert served.say(chat.id, max_new_tokens=300)[1].finish == "length"


def test_the_end_of_the_agent_ends_its_workers(
    runs: Runs, tmp_path: Path, wait: Callable[..., Any]
) -> None:
    with serving(tmp_path, runs) as served:
        pid = served.pid(served.open("one").id)
        # Neither a worker that is still loading nor one that is writing is left behind.
        loading = served.http.post("/v1/chats", json={"runs": ["whole"]}).json()
        started = wait(lambda: served.chats.get(loading["id"]).pid)
    assert is_gone(pid)
    assert is_gone(started)
