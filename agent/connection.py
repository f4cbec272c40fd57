"""One way to the agent: HTTP over its Unix socket, started on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from .errors import AgentError, LostError, RefusedError, UnavailableError
from .models import ErrorReply
from .paths import Home
from .sse import decode_events
from .starting import check_socket, ensure_agent

_Model = TypeVar("_Model", bound=BaseModel)
_Answer = TypeVar("_Answer")
_SECONDS = 60.0


class Connection:
    """Requests to one home's agent; refusals become exceptions."""

    def __init__(self, home: Home, *, start: bool) -> None:
        self.home = home
        self.start = start
        # A connection that is kept open breaks when the agent restarts; opening one costs 0.1 ms.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._http = httpx.Client(
            base_url="http://luthier",
            transport=httpx.HTTPTransport(uds=str(home.socket), limits=limits, verify=False),
            timeout=_SECONDS,
            trust_env=False,
        )

    def close(self) -> None:
        """Close what is open."""
        self._http.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: dict[str, Any] | None = None,
        timeout: float | None = _SECONDS,
    ) -> httpx.Response:
        """Send one request and return the answer.

        Raises:
            RefusedError: the agent said no.
            UnavailableError: no agent answers.
        """
        with self.opened(method, path, json=json, params=params, timeout=timeout) as response:
            return response

    def get(self, path: str, model: type[_Model], params: dict[str, Any] | None = None) -> _Model:
        """Ask for one thing. Raises like request."""
        response = self.request("GET", path, params=params)
        return self.read(model.model_validate_json, response.content)

    def get_all(
        self, path: str, model: type[_Model], params: dict[str, Any] | None = None
    ) -> list[_Model]:
        """Ask for many things of a kind. Raises like request."""
        response = self.request("GET", path, params=params)
        # A type that is known only when it runs is none to mypy.
        adapter = TypeAdapter(list[model])  # type: ignore[valid-type]
        return self.read(adapter.validate_json, response.content)

    def send(
        self,
        method: str,
        path: str,
        model: type[_Model],
        body: Any = None,
        *,
        params: dict[str, Any] | None = None,
        timeout: float | None = _SECONDS,
    ) -> _Model:
        """Send something and return the answer to it. Raises like request."""
        response = self.request(method, path, json=body, params=params, timeout=timeout)
        return self.read(model.model_validate_json, response.content)

    def stream(self, path: str, model: type[_Model], body: Any) -> Iterator[_Model]:
        """Send something and return the answers to it as they come. Raises like request."""
        with self.opened("POST", path, json=body, timeout=None, stream=True) as response:
            for event in decode_events(response.iter_lines()):
                yield self.read(model.model_validate_json, event.data)

    def read(self, parse: Callable[[bytes | str], _Answer], answer: bytes | str) -> _Answer:
        """What the agent has said.

        Raises:
            AgentError: it makes no sense to this version.
        """
        try:
            return parse(answer)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the answer"
            raise AgentError(
                f"The agent of {self.home.path} is of another version than this command "
                f"({where}: {first['msg']}).",
                hint="End it, and the next command starts its own: luthier agent stop",
            ) from error

    @contextmanager
    def opened(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        timeout: float | None = _SECONDS,
        stream: bool = False,
    ) -> Iterator[httpx.Response]:
        """The answer, whose body is still to be read with ``stream``. Raises like request."""
        request = self._http.build_request(
            method,
            path,
            json=json,
            params={key: value for key, value in (params or {}).items() if value is not None},
            headers=headers,
            timeout=timeout,
        )
        response = self._send(request, stream)
        try:
            if response.is_error:
                response.read()
                raise refusal(response)
            yield response
        except httpx.TransportError as error:
            raise self._gone(error) from error
        finally:
            response.close()

    def _send(self, request: httpx.Request, stream: bool) -> httpx.Response:
        check_socket(self.home)
        try:
            return self._http.send(request, stream=stream)
        except httpx.ConnectError as error:
            if not self.start:
                raise UnavailableError(
                    f"No agent is running for {self.home.path}.",
                    hint="Start it with: luthier agent start",
                ) from error
        except httpx.TransportError as error:
            # The request may have been carried out, so only a reading one is sent again.
            if request.method != "GET" or not self.start or isinstance(error, httpx.ReadTimeout):
                raise self._gone(error) from error
        ensure_agent(self.home)
        try:
            return self._http.send(request, stream=stream)
        except httpx.TransportError as error:
            raise self._gone(error) from error

    def _gone(self, error: httpx.TransportError) -> LostError:
        if isinstance(error, httpx.TimeoutException):
            what = "did not answer in time"
        else:
            what = "went away before it answered"
        return LostError(
            f"The agent of {self.home.path} {what}.", hint=f"Its log is {self.home.log}."
        )


def refusal(response: httpx.Response) -> AgentError:
    """The exception for an answer with an error status."""
    try:
        reply = ErrorReply.model_validate_json(response.content)
    except ValidationError:
        text = response.text.strip()[:200] or "no explanation"
        return RefusedError(
            response.status_code, f"The agent answered {response.status_code}: {text}"
        )
    return RefusedError(response.status_code, reply.error, reply.problems)
