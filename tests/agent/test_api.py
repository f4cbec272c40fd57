"""The HTTP API as a stranger meets it: true to its own schema, and clear in its refusals."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from luthier.agent.client import Client
from luthier.agent.errors import RefusedError

from .documented import Documented

if TYPE_CHECKING:
    from .conftest import RealAgent, Workshop

# They never end, end the agent, or load a model.
_LEFT_OUT = {"stream_events", "shutdown", "open_chat"}
# What strange requests cannot bring about is asked for by name, in these files.
_BY_HAND = {
    "stream_events": "test_api.py",
    "shutdown": "test_api.py",
    "add_host": "test_api.py",
    "connect_host": "test_api.py",
    "check": "test_api.py",
    "set_up": "test_api.py",
    "remove_host": "test_api.py",
    "open_chat": "chatting/test_chat_agent.py",
    "get_chat": "chatting/test_chat_agent.py",
    "generate": "chatting/test_chat_agent.py",
    "generate_batch": "chatting/test_chat_agent.py",
    "cancel_generation": "chatting/test_chat_agent.py",
    "close_chat": "chatting/test_chat_agent.py",
    "openai_chat_completions": "chatting/test_chat_agent.py",
    "predict": "test_predictions.py",
}
_EXAMPLES = 16
_REQUEST = {"method", "url", "params", "json", "data", "headers"}
_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]


@contextlib.contextmanager
def _http(agent: RealAgent) -> Iterator[httpx.Client]:
    transport = httpx.HTTPTransport(uds=str(agent.home.socket), verify=False)
    with httpx.Client(transport=transport, base_url="http://luthier", timeout=30) as found:
        yield found


@pytest.fixture(scope="module")
def real_agent(shared_agent: RealAgent) -> RealAgent:
    return shared_agent


@pytest.fixture(scope="module")
def client(shared_agent: RealAgent) -> Client:
    return shared_agent.client


@pytest.fixture(scope="module")
def http(shared_agent: RealAgent) -> Iterator[httpx.Client]:
    """Plain HTTP to the agent."""
    with _http(shared_agent) as found:
        yield found


def test_schema_names_every_operation_once(http: httpx.Client) -> None:
    schema = http.get("/openapi.json").json()
    operations = [operation for path in schema["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names)) >= 25
    for operation in operations:
        assert operation["tags"], operation["operationId"]
        assert operation["description"], operation["operationId"]
        for status, response in operation["responses"].items():
            if status[0] in "45":
                assert list(response["content"]) == ["application/json"], operation["operationId"]


def test_answers_are_what_the_schema_says(fresh_agent: RealAgent, workshop: Workshop) -> None:
    """Thousands of strange requests: no server error, no undocumented answer."""
    client = fresh_agent.start()
    run = client.submit(workshop.spec({"steps": 30}, name="known"))
    fresh_agent.ended(run.id)
    with _http(fresh_agent) as http:
        _send_strange_requests(http, run.id)
    assert client.status().problems == []


def _send_strange_requests(http: httpx.Client, known: str) -> None:
    schema = schemathesis.openapi.from_dict(http.get("/openapi.json").json())
    statuses: set[int] = set()
    found = [each.ok() for each in schema.get_all_operations()]
    sent = [each for each in found if each.definition.raw["operationId"] not in _LEFT_OUT]
    # Hosts come to be last, so that nobody waits for one that is not there.
    for operation in sorted(sent, key=lambda each: each.method == "put"):
        for mode in schemathesis.GenerationMode:
            cases = operation.as_strategy(generation_mode=mode)
            statuses |= _answers(http, cases, known)
    assert {200, 404, 409, 422} <= statuses


def test_no_operation_is_left_untested(http: httpx.Client) -> None:
    documented = Documented(http)
    assert documented.operations >= _BY_HAND.keys() >= _LEFT_OUT | documented.streams
    for operation, file in _BY_HAND.items():
        assert f'"{operation}"' in Path(__file__).parent.joinpath(file).read_text()


def test_events_and_the_end_are_as_documented(fresh_agent: RealAgent, workshop: Workshop) -> None:
    run = fresh_agent.start().submit(workshop.spec({"steps": 2}))
    fresh_agent.ended(run.id)
    with _http(fresh_agent) as http:
        documented = Documented(http)
        with http.stream("GET", "/v1/events", params={"since": 0}) as answer:
            messages = documented.check_stream("stream_events", answer, most=3)
        assert [message["sequence"] for message in messages] == [1, 2, 3]
        for answer in (
            http.get("/v1/events", params={"since": -1}),
            http.get("/v1/events", headers={"last-event-id": "x"}),
        ):
            assert documented.check("stream_events", answer)["error"]
            assert answer.status_code == 422
        assert documented.check("shutdown", http.post("/v1/shutdown")) is None
    assert fresh_agent.process is not None
    assert fresh_agent.process.wait(60) == 0


def test_hosts_that_are_not_there_are_as_documented(http: httpx.Client, client: Client) -> None:
    documented = Documented(http)
    added = http.put("/v1/hosts/lab", json={"target": "nobody@127.0.0.1:1"})
    assert documented.check("add_host", added)["name"] == "lab"
    for operation, path, body in (
        ("connect_host", "connect", {}),
        ("check", "check", None),
    ):
        answer = http.post(f"/v1/hosts/lab/{path}", json=body)
        said = documented.check(operation, answer)
        assert "127.0.0.1" in json.dumps(said), said
    with http.stream("POST", "/v1/hosts/lab/setup", json={}) as stream:
        lines = documented.check_stream("set_up", stream)
    assert lines[-1]["ended"]
    assert "127.0.0.1" in lines[-1]["error"]
    refused = http.delete("/v1/hosts/lab")
    assert "--keep" in documented.check("remove_host", refused)["error"]
    gone = http.delete("/v1/hosts/lab", params={"clean": False})
    assert documented.check("remove_host", gone) is None


def _answers(
    http: httpx.Client, cases: st.SearchStrategy[schemathesis.Case], known: str
) -> set[int]:
    """Send examples, check each answer, and say which statuses there were."""
    statuses: set[int] = set()

    @settings(
        max_examples=_EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, about_known=st.booleans())
    def check(case: schemathesis.Case, about_known: bool) -> None:
        if about_known and case.method != "DELETE" and "run_id" in case.path_parameters:
            case.path_parameters["run_id"] = known
        request = case.as_transport_kwargs(base_url="http://luthier")
        request = {key: request[key] for key in _REQUEST & request.keys()}
        if isinstance(request.get("data"), str | bytes):
            request["content"] = request.pop("data")
        answer = http.request(**request)
        case.validate_response(answer, checks=_CHECKS)
        statuses.add(answer.status_code)

    # Where nothing can be sent, nothing can be sent wrongly.
    with contextlib.suppress(Unsatisfiable):
        check()
    return statuses


def test_unknown_paths_and_methods_have_the_shape_of_every_refusal(http: httpx.Client) -> None:
    missing = http.get("/v2/runs")
    assert missing.status_code == 404
    assert missing.json()["error"].startswith("There is nothing at /v2/runs")
    wrong = http.put("/v1/runs")
    assert wrong.status_code == 405
    assert "does not take PUT" in wrong.json()["error"]
    assert "GET" in wrong.headers["allow"]


@pytest.mark.parametrize(
    ("method", "path", "body", "sentence"),
    [
        ("GET", "/v1/runs?limit=0", None, "limit (query): Input should be greater than"),
        ("GET", "/v1/runs?state=done", None, "state.0 (query): Input should be 'queued'"),
        ("POST", "/v1/runs", "{", "The body is not valid JSON"),
        ("POST", "/v1/runs", "{}", "spec (body): Field required."),
        ("POST", "/v1/runs", '{"spec": "", "x": 1}', "x (body): Extra inputs are not permitted."),
        ("POST", "/v1/runs", '{"spec": ""}', "spec: the spec is empty"),
        ("POST", "/v1/runs", '{"spec": "task: [", "source": "a.yaml"}', "a.yaml:1: not valid YAML"),
        ("POST", "/v1/validate", '{"spec": {"task": "llm-stf"}}', "Did you mean llm-sft?"),
        ("POST", "/v1/runs/none/stop", "{}", "There is no run 'none'"),
        ("GET", "/v1/tasks/llm-sfd", None, "There is no task 'llm-sfd'"),
        ("GET", "/v1/events?since=-1", None, "since (query): Input should be greater than"),
    ],
)
def test_refusals_are_one_sentence(
    http: httpx.Client, method: str, path: str, body: str | None, sentence: str
) -> None:
    headers = {"content-type": "application/json"}
    answer = http.request(method, path, content=body, headers=headers)
    assert answer.status_code in (404, 422)
    assert set(answer.json()) == {"error", "problems"}
    assert sentence in answer.json()["error"]
    assert "\n" not in answer.json()["error"]


def test_every_mistake_of_a_spec_is_listed(client: Client, workshop: Workshop) -> None:
    spec = workshop.spec(training={"max_step": 3, "seed": "x"}, launch={"hosts": "a"})
    with pytest.raises(RefusedError) as refused:
        client.submit(spec, source="run.yaml")
    assert (refused.value.status, refused.value.exit_code) == (422, 2)
    assert len(refused.value.problems) == 3
    assert "(and 2 more)" in str(refused.value)


def test_files_do_not_lead_out_of_the_run_folder(
    real_agent: RealAgent,
    http: httpx.Client,
    client: Client,
    workshop: Workshop,
    tmp_path: Path,
) -> None:
    run = client.submit(workshop.spec({"steps": 1}))
    real_agent.ended(run.id)
    secret = tmp_path / "secret"
    secret.write_text("secret")
    folder = real_agent.home.run(run.id).path
    (folder / "way-out").symlink_to(secret)
    (folder / "artifacts" / "way-out").symlink_to(tmp_path)
    names = [info.path for info in client.files(run.id)]
    assert "run.json" in names
    assert not any("way-out" in name for name in names)
    for path in (
        "way-out",
        "artifacts/way-out/secret",
        "%2E%2E/%2E%2E/settings.yaml",
        "%2E%2E%2F" * 20 + "etc/passwd",
        "%2Fetc%2Fpasswd",
        "attempt-1",
        "no%00thing",
        "x" * 5000,
    ):
        answer = http.get(f"/v1/runs/{run.id}/files/{path}")
        assert (answer.status_code, "has no file" in answer.text) == (404, True), path
    data = b"".join(client.download(run.id, "artifacts/adapter/adapter_config.json"))
    assert data == b"{}"


def test_log_comes_in_ranges(real_agent: RealAgent, client: Client, workshop: Workshop) -> None:
    run = client.submit(workshop.spec({"steps": 20}))
    real_agent.ended(run.id)
    whole = client.log(run.id).data
    part = client.log(run.id, offset=5, limit=7)
    assert (part.data, part.offset, part.size) == (whole[5:12], 5, len(whole))
    tail = client.log(run.id, offset=-9)
    assert (tail.data, tail.end) == (whole[-9:], len(whole))
    assert client.log(run.id, offset=10**9).data == b""
    with pytest.raises(RefusedError, match="has no attempt 2"):
        client.log(run.id, attempt=2)
    queued = client.submit(workshop.spec({"steps": 1}))
    assert client.log(queued.id).size >= 0


def test_relative_paths_start_from_the_callers_folder(
    real_agent: RealAgent, client: Client, tmp_path: Path
) -> None:
    (tmp_path / "rows.json").write_text(json.dumps({"steps": 1}))
    text = "task: llm-sft\nmodel: {name_or_path: org/name}\ndata: {path: rows.json}\n"
    run = client.submit(text, source="run.yaml", working_directory=tmp_path)
    assert run.spec["data"]["path"] == str(tmp_path / "rows.json")
    assert run.name == "name-rows"
    assert real_agent.ended(run.id).progress.step == 1
    with pytest.raises(RefusedError, match=r"run\.yaml: data\.path: there is no rows\.json in"):
        client.submit(text, source="run.yaml", working_directory=tmp_path.parent)
    reply = client.validate(text, working_directory=tmp_path, overrides=["name=x"])
    assert reply.spec["name"] == "x"
    assert "name: x" in reply.yaml


def test_unknown_host_and_device_are_refused(client: Client, workshop: Workshop) -> None:
    with pytest.raises(RefusedError, match="there is no host 'lab'; known: local"):
        client.submit(workshop.spec(launch={"host": "lab"}))
    with pytest.raises(RefusedError, match=r"launch\.devices: there is no device 977"):
        client.submit(workshop.spec(launch={"devices": [977]}))


def test_tasks_and_presets_are_told(client: Client) -> None:
    known = {task.id for task in client.tasks()}
    assert {"llm-generic", "llm-sft"} <= known
    detail = client.task("llm-sft")
    assert "training" in detail.parameters["properties"]
    assert {preset.task for preset in client.presets.all()} == known


def test_agent_loads_no_heavy_library() -> None:
    heavy = "torch transformers peft trl datasets accelerate pandas numpy paramiko textual rich"
    code = "import sys, luthier.agent.daemon; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert set(loaded).isdisjoint(heavy.split())
