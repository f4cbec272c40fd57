"""Answers of the agent held against what /openapi.json says of them."""

from __future__ import annotations

import json
from itertools import islice
from typing import Any

import httpx
import jsonschema_rs

from luthier.agent.sse import decode_events


class Documented:
    """The schema of an agent, to check single answers by the name of their operation."""

    def __init__(self, http: httpx.Client) -> None:
        self._schema: dict[str, Any] = http.get("/openapi.json").json()
        self._operations: dict[str, dict[str, Any]] = {
            operation["operationId"]: operation
            for path in self._schema["paths"].values()
            for operation in path.values()
        }

    @property
    def operations(self) -> set[str]:
        """Every operation."""
        return set(self._operations)

    @property
    def streams(self) -> set[str]:
        """The operations that answer with server-sent events and nothing else."""
        return {
            name
            for name, operation in self._operations.items()
            if "text/event-stream" in operation["responses"].get("200", {}).get("content", {})
        }

    def check(self, operation: str, answer: httpx.Response) -> Any:
        """The JSON body of an answer that is as documented; None when it has no body."""
        content = self._content(operation, answer)
        if not content:
            assert answer.read() == b"", operation
            return None
        assert answer.headers["content-type"].split(";")[0] == "application/json", operation
        body = json.loads(answer.read())
        self._validate(content["application/json"]["schema"], body)
        return body

    def check_stream(self, operation: str, answer: httpx.Response, most: int = 1000) -> list[Any]:
        """The data of the first events of a stream, each as documented."""
        assert answer.status_code == 200, answer.read()
        item = self._content(operation, answer)["text/event-stream"]["itemSchema"]
        assert answer.headers["content-type"].split(";")[0] == "text/event-stream", operation
        found = []
        for event in islice(decode_events(answer.iter_lines()), most):
            found.append(json.loads(event.data))
            self._validate(item["properties"]["data"]["contentSchema"], found[-1])
        return found

    def _content(self, operation: str, answer: httpx.Response) -> dict[str, Any]:
        responses = self._operations[operation]["responses"]
        status = str(answer.status_code)
        documented = responses.get(status) or responses.get(f"{status[0]}XX")
        assert documented is not None, f"{operation} does not document {status}: {answer.read()!r}"
        content: dict[str, Any] = documented.get("content", {})
        return content

    def _validate(self, schema: dict[str, Any], value: Any) -> None:
        whole = {**schema, "components": self._schema["components"]}
        jsonschema_rs.validator_for(whole).validate(value)
