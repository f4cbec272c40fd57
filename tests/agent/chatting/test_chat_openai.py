"""OpenAI's own client against the results of runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import httpx2
import openai
import pytest

from luthier.agent.models import Chat
from luthier.agent.sse import decode_events

from .serving import Served, question

pytestmark = pytest.mark.training


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
