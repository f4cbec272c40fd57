"""The worker's protocol and the named sampling settings."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from pydantic import ValidationError

from luthier.trainers.chat.protocol import (
    AddVoice,
    Failed,
    Generate,
    Load,
    Ready,
    Token,
    parse_reply,
    parse_request,
)
from luthier.trainers.chat.sampling import Choice, choose
from luthier.trainers.errors import LuthierError
from luthier.trainers.serving.complaints import explain
from luthier.trainers.serving.messages import Cancel, encode
from luthier.trainers.spec import ModelSection


@pytest.mark.parametrize(
    "message",
    [
        Load(id=1, model=ModelSection(name_or_path="here"), voice="base"),
        AddVoice(id=2, name="a", path="/b"),
        Generate(id=3, voice="a", messages=[{"role": "user", "content": "ä\n"}], choice=Choice()),
        Cancel(id=3),
    ],
)
def test_requests_travel_as_one_line(message: Load | AddVoice | Generate | Cancel) -> None:
    line = encode(message)
    assert line.count(b"\n") == 1
    assert parse_request(line) == message


def test_replies_travel_as_one_line() -> None:
    for reply in (
        Ready(id=1, device="cpu", dtype="float32", context=None),
        Token(id=2, text="\n\x00\u2028"),
        Failed(id=3, message="No."),
    ):
        line = encode(reply)
        assert line.count(b"\n") == 1
        assert parse_reply(line) == reply


@pytest.mark.parametrize("line", [b"{}\n", b"hello\n", b'{"op": "fly", "id": 1}\n', b"\xff\n"])
def test_anything_else_is_refused(line: bytes) -> None:
    with pytest.raises(ValidationError):
        parse_request(line)


def test_named_settings() -> None:
    assert choose("deterministic") == Choice(temperature=None, top_p=None)
    assert choose("balanced") == Choice(temperature=0.7, top_p=0.9)
    assert choose("creative") == Choice(temperature=1.0, top_p=0.95)


def test_single_values_win_over_the_setting() -> None:
    choice = choose("balanced", temperature=0.2, top_k=5, seed=3, max_new_tokens=9, stop=["x"])
    assert choice == Choice(
        temperature=0.2, top_p=0.9, top_k=5, seed=3, max_new_tokens=9, stop=["x"]
    )
    assert choose("deterministic", temperature=0.5).temperature == 0.5


def test_greedy_has_no_sampling_parameters() -> None:
    for choice in (
        choose("creative", temperature=0.0, top_p=0.5, top_k=3, seed=1),
        choose("deterministic", top_p=0.5, top_k=3, seed=1),
    ):
        assert choice == Choice()


_NOISY = """
import os, sys
from luthier.trainers.serving.channel import Channel
from luthier.trainers.chat.protocol import Failed, parse_request
channel = Channel.from_standard_streams(parse_request)
print("a library prints")
os.write(1, b"so does C code\\n")
os.system("echo and a child")
print(repr(sys.stdin.read()))
for request in channel.requests():
    channel.send(Failed(id=request.id, message="x" * 300_000))
"""


def test_what_libraries_print_or_read_never_touches_the_protocol() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _NOISY],
        input=encode(Cancel(id=1)) + encode(Cancel(id=2)),
        capture_output=True,
        check=True,
        timeout=60,
    )
    replies = [parse_reply(line) for line in done.stdout.splitlines()]
    assert [reply.id for reply in replies] == [1, 2]
    noise = ["''", "a library prints", "and a child", "so does C code"]
    assert sorted(done.stderr.decode().splitlines()) == noise


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (LuthierError("It is broken.", hint="Mend it."), "It is broken. Mend it."),
        (ValueError("first line\nsecond line"), "ValueError: first line."),
        (KeyError(), "KeyError"),
        (OSError("nothing is there\nTry again"), "nothing is there."),
        (RuntimeError("CUDA out of memory. Tried"), "Not enough memory: CUDA out of memory."),
        (MemoryError(), "Not enough memory: MemoryError"),
        (ModuleNotFoundError("no", name="peft"), "peft is not installed; install it with"),
    ],
)
def test_errors_become_one_sentence(error: Exception, said: str) -> None:
    explained = explain(error)
    assert explained.startswith(said)
    assert "\n" not in explained


def test_light_half_loads_no_torch() -> None:
    code = (
        "import sys, json, luthier.trainers.chat.protocol, luthier.trainers.chat.worker, "
        "luthier.trainers.chat.text; print(json.dumps([m for m in sys.modules "
        "if m in ('torch', 'transformers', 'peft')]))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60)
    assert json.loads(out.stdout) == []
