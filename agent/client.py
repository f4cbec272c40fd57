"""The client: what the command line, the terminal UI and scripts talk to the agent with."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Literal
from urllib.parse import quote

from .chat_client import ChatClient
from .connection import Connection
from .errors import LostError, UnavailableError
from .host_client import HostClient
from .models import (
    AgentStatus,
    DeviceWish,
    EstimateReply,
    EstimateRequest,
    FileInfo,
    FitReply,
    FitRequest,
    HardwareSample,
    HostReport,
    Message,
    PredictChunk,
    PredictRequest,
    Run,
    RunDetail,
    Series,
    SeriesInfo,
    StoredEvent,
    TaskDetail,
    TaskInfo,
    ValidateReply,
)
from .paths import Home
from .preset_client import PresetClient
from .sse import decode_events
from .states import RunState

# The agent sends a comment every 15 seconds; silence for longer means that it is gone.
_STREAM_SILENCE_SECONDS = 45.0
_RETURN_SECONDS = 10.0
_AGAIN_SECONDS = 0.2


@dataclass(frozen=True)
class LogPart:
    """Bytes of an attempt's output. ``size`` is what the whole output has now."""

    attempt: int
    offset: int
    size: int
    data: bytes

    @property
    def end(self) -> int:
        """Where the next part starts."""
        return self.offset + len(self.data)


class Client:
    """A connection to the agent of one home.

    Every method raises RefusedError with the agent's sentence when the agent says no, and
    UnavailableError when none answers. Methods that take a run accept its id, a unique prefix of
    it, or its unique name.

    Args:
        home: the agent's home; silent: LUTHIER_HOME.
        start: start an agent when none is running.
    """

    def __init__(self, home: Home | None = None, *, start: bool = True) -> None:
        self.home = home or Home.from_environment()
        self._connection = Connection(self.home, start=start)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @cached_property
    def hosts(self) -> HostClient:
        """Requests about the hosts that runs can execute on."""
        return HostClient(self._connection)

    @cached_property
    def presets(self) -> PresetClient:
        """Requests about the ready parts of specs."""
        return PresetClient(self._connection)

    @cached_property
    def chats(self) -> ChatClient:
        """Requests about loaded models and what they are asked."""
        return ChatClient(self._connection)

    def close(self) -> None:
        """Close the connection; runs and the agent go on."""
        self._connection.close()

    # -- the agent ---------------------------------------------------------------------------

    def status(self) -> AgentStatus:
        """How the agent is."""
        return self._connection.get("/v1/status", AgentStatus)

    def shutdown(self) -> None:
        """End the agent; runs go on and the next agent adopts them."""
        self._connection.request("POST", "/v1/shutdown")

    def tasks(self) -> list[TaskInfo]:
        """Everything that can be trained."""
        return self._connection.get_all("/v1/tasks", TaskInfo)

    def task(self, task_id: str) -> TaskDetail:
        """One task with the JSON schema of its settings."""
        return self._connection.get(f"/v1/tasks/{quote(task_id, safe='')}", TaskDetail)

    def hardware(self) -> HostReport:
        """The hardware of this host now."""
        return self._connection.get("/v1/hardware", HostReport)

    # -- runs --------------------------------------------------------------------------------

    def validate(
        self,
        spec: str | dict[str, Any],
        *,
        source: str = "spec",
        overrides: Sequence[str] = (),
        working_directory: Path | None = None,
    ) -> ValidateReply:
        """The resolved spec, without queueing it."""
        body = _spec_body(spec, source, overrides, working_directory)
        return self._connection.send("POST", "/v1/validate", ValidateReply, body)

    def submit(
        self,
        spec: str | dict[str, Any],
        *,
        source: str = "spec",
        overrides: Sequence[str] = (),
        working_directory: Path | None = None,
    ) -> RunDetail:
        """Queue a run.

        Args:
            spec: YAML text or the same as a mapping.
            source: name of the file, for error texts.
            overrides: ``section.key=value`` settings that win.
            working_directory: where relative paths in the spec start; silent: the current folder.
        """
        body = _spec_body(spec, source, overrides, working_directory)
        return self._connection.send("POST", "/v1/runs", RunDetail, body)

    def estimate(
        self,
        spec: str | dict[str, Any],
        *,
        exact: bool = False,
        host: str | None = None,
        device: DeviceWish | None = None,
        data: Literal["ignore", "known", "measure"] = "known",
        source: str = "spec",
        overrides: Sequence[str] = (),
        working_directory: Path | None = None,
    ) -> EstimateReply:
        """The memory that a spec takes, whether it fits, and what could change.

        Args:
            exact: build the real model in a worker; takes seconds.
            host: where; silent: the spec's own.
            device: what to assume instead of the host's own devices.
            data: whether row lengths are measured (seconds the first time), or only used when
                an earlier measurement knows them.
        """
        body = _spec_body(spec, source, overrides, working_directory)
        request = EstimateRequest(**body, host=host, device=device or DeviceWish(), data=data)
        path = "/v1/estimate/exact" if exact else "/v1/estimate"
        return self._connection.send(
            "POST", path, EstimateReply, request.model_dump(), timeout=None
        )

    def fit(
        self,
        spec: str | dict[str, Any],
        *,
        host: str | None = None,
        device: DeviceWish | None = None,
        data: Literal["ignore", "known", "measure"] = "known",
        keep: Sequence[str] = (),
        source: str = "spec",
        overrides: Sequence[str] = (),
        working_directory: Path | None = None,
    ) -> FitReply:
        """The fastest settings that fit, each change with its reason.

        Args:
            keep: settings that must stay, such as training.max_length. Others as in estimate.
        """
        body = _spec_body(spec, source, overrides, working_directory)
        request = FitRequest(
            **body, host=host, device=device or DeviceWish(), data=data, keep=list(keep)
        )
        return self._connection.send(
            "POST", "/v1/fit", FitReply, request.model_dump(), timeout=None
        )

    def runs(self, states: Iterable[RunState] = (), *, limit: int | None = None) -> list[Run]:
        """Runs, newest first; of the given states only, when there are any."""
        params = {"state": [state.value for state in states] or None, "limit": limit}
        return self._connection.get_all("/v1/runs", Run, params)

    def run(self, run: str) -> RunDetail:
        """One run with its spec."""
        return self._connection.get(_run_path(run), RunDetail)

    def stop(self, run: str, *, now: bool = False) -> Run:
        """Ask a run to end: with a checkpoint, or ``now`` without."""
        return self._connection.send("POST", _run_path(run, "stop"), Run, {"now": now})

    def resume(self, run: str, *, overrides: Sequence[str] = ()) -> Run:
        """Queue a finished run again; it goes on from its last checkpoint."""
        return self._connection.send(
            "POST", _run_path(run, "resume"), Run, {"overrides": list(overrides)}
        )

    def move(self, run: str, position: int) -> Run:
        """Put a waiting run at that place of its host's queue, 0 first."""
        return self._connection.send("POST", _run_path(run, "move"), Run, {"position": position})

    def remove(self, run: str) -> None:
        """Delete a finished run and its folder."""
        self._connection.request("DELETE", _run_path(run))

    # -- what a run has produced -------------------------------------------------------------

    def events(
        self, run: str, *, after: int = 0, limit: int = 1000, kinds: Iterable[str] = ()
    ) -> list[StoredEvent]:
        """Worker events with numbers above ``after``, oldest first."""
        params = {"after": after, "limit": limit, "kind": list(kinds) or None}
        return self._connection.get_all(_run_path(run, "events"), StoredEvent, params)

    def log(
        self,
        run: str,
        *,
        attempt: int | None = None,
        offset: int = 0,
        limit: int = 1 << 20,
    ) -> LogPart:
        """A part of the output of an attempt; silent: the latest.

        Args:
            offset: first byte; negative counts from the end.
            limit: most bytes to return.
        """
        params = {"attempt": attempt, "offset": offset, "limit": limit}
        response = self._connection.request("GET", _run_path(run, "log"), params=params)
        return LogPart(
            attempt=int(response.headers["X-Log-Attempt"]),
            offset=int(response.headers["X-Log-Offset"]),
            size=int(response.headers["X-Log-Size"]),
            data=response.content,
        )

    def series(self, run: str) -> list[SeriesInfo]:
        """The metrics of a run."""
        return self._connection.get_all(_run_path(run, "metrics"), SeriesInfo)

    def points(
        self,
        run: str,
        name: str,
        *,
        points: int = 2000,
        first: int | None = None,
        last: int | None = None,
    ) -> Series:
        """One metric in at most about ``points`` buckets, between two steps when given."""
        params = {"points": points, "first": first, "last": last}
        return self._connection.get(_run_path(run, "metrics", name), Series, params)

    def samples(self, run: str, *, after: int = 0, limit: int = 1000) -> list[StoredEvent]:
        """Texts that the model wrote at evaluations, oldest first."""
        params = {"after": after, "limit": limit}
        return self._connection.get_all(_run_path(run, "samples"), StoredEvent, params)

    def hardware_history(self, run: str) -> list[HardwareSample]:
        """Hardware samples taken while the run was active, oldest first."""
        return self._connection.get_all(_run_path(run, "hardware"), HardwareSample)

    def files(self, run: str) -> list[FileInfo]:
        """The files of the run folder."""
        return self._connection.get_all(_run_path(run, "files"), FileInfo)

    def download(self, run: str, path: str) -> Iterator[bytes]:
        """A file of the run folder in pieces; ``path`` as ``files`` tells it."""
        url = f"{_run_path(run, 'files')}/{quote(path)}"
        with self._connection.opened("GET", url, stream=True) as response:
            yield from response.iter_bytes(1 << 20)

    def stream(self, since: int | None = None) -> Iterator[Message]:
        """Messages with sequence numbers above ``since``, as they come, without end or gap.

        Reconnects by itself and goes on after the last number. An agent that was shut down on
        purpose is not started again.

        Args:
            since: the last number seen (AgentStatus.sequence); silent: only what is new.

        Raises:
            UnavailableError: the agent was shut down and did not come back.
        """
        last = since
        while True:
            try:
                for message in self.messages(last):
                    last = message.sequence
                    yield message
                self._wait_for_return()
            except LostError:
                if self._connection.start:
                    time.sleep(_AGAIN_SECONDS)
                else:
                    self._wait_for_return()

    def messages(self, since: int | None = None) -> Iterator[Message]:
        """The same over one connection only: it ends when the agent is shut down on purpose.

        Raises:
            LostError: the agent went away without a word.
        """
        with self._connection.opened(
            "GET",
            "/v1/events",
            params={"since": since},
            timeout=_STREAM_SILENCE_SECONDS,
            stream=True,
        ) as response:
            for event in decode_events(response.iter_lines()):
                yield self._connection.read(Message.model_validate_json, event.data)

    def _wait_for_return(self) -> None:
        """Wait for an agent that somebody else starts."""
        deadline = time.monotonic() + _RETURN_SECONDS
        with Client(self.home, start=False) as other:
            while True:
                try:
                    other.status()
                    return
                except UnavailableError:
                    if time.monotonic() > deadline:
                        raise UnavailableError(
                            f"The agent of {self.home.path} was stopped.",
                            hint="Runs go on; start it again with: luthier agent start",
                        ) from None
                    time.sleep(_AGAIN_SECONDS)

    # -- predictions -------------------------------------------------------------------------

    def predict(self, run: str, request: PredictRequest) -> Iterator[PredictChunk]:
        """Predictions as they are made: first the total, then one a piece, last ``finish``."""
        path = _run_path(run, "predict")
        return self._connection.stream(path, PredictChunk, request.model_dump())


def _run_path(run: str, *rest: str) -> str:
    return "/v1/runs/" + "/".join(quote(part, safe="") for part in (run, *rest))


def _spec_body(
    spec: str | dict[str, Any],
    source: str,
    overrides: Sequence[str],
    working_directory: Path | None,
) -> dict[str, Any]:
    return {
        "spec": spec,
        "source": source,
        "overrides": list(overrides),
        "working_directory": str((working_directory or Path.cwd()).absolute()),
    }
