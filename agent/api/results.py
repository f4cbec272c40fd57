"""What a run has produced: events, output, metrics, samples, hardware, files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse

from ..logs import read_range
from ..models import FileInfo, HardwareSample, Series, SeriesInfo, StoredEvent
from .agent import Parts
from .errors import ApiError, replies
from .runs import RunId

router = APIRouter(prefix="/v1/runs/{run_id}", tags=["results"], responses=replies(404, 409))
_BYTES = {"schema": {"type": "string", "format": "binary"}}
_MOST_EVENTS = 10_000
_LONGEST_NUMBER = 2**63 - 1
Kind = Literal[
    "phase",
    "placement",
    "progress",
    "metrics",
    "evaluation",
    "sample",
    "report",
    "checkpoint",
    "warning",
    "error",
    "done",
]
After = Annotated[
    int, Query(ge=0, le=_LONGEST_NUMBER, description="Number of the last event that is known.")
]
Limit = Annotated[int, Query(ge=1, le=_MOST_EVENTS, description="At most so many.")]
Step = Annotated[int | None, Query(ge=0, le=_LONGEST_NUMBER, description="A step, included.")]


async def _known_run(run_id: RunId, parts: Parts) -> str:
    """The full id of the run that is meant."""
    return parts.runs.find(run_id).id


KnownRun = Annotated[str, Depends(_known_run)]


@router.get(
    "/events",
)
def run_events(
    run: KnownRun,
    parts: Parts,
    after: After = 0,
    limit: Limit = 1000,
    kind: Annotated[list[Kind] | None, Query(description="Only events of these.")] = None,
) -> list[StoredEvent]:
    """Worker events, oldest first."""
    return parts.store.events(run, after, limit, kind)


@router.get(
    "/samples",
)
def run_samples(
    run: KnownRun, parts: Parts, after: After = 0, limit: Limit = 1000
) -> list[StoredEvent]:
    """Texts that the model wrote at evaluations, oldest first."""
    return parts.store.events(run, after, limit, ["sample"])


@router.get(
    "/metrics",
)
def run_metrics(run: KnownRun, parts: Parts) -> list[SeriesInfo]:
    """The metrics of a run."""
    return parts.store.series(run)


@router.get(
    "/metrics/{name}",
)
def run_metric(
    run: KnownRun,
    parts: Parts,
    name: Annotated[str, PathParameter(description="As /metrics tells it.")],
    first: Step = None,
    last: Step = None,
    points: Annotated[int, Query(ge=1, le=100_000, description="At most so many.")] = 2000,
) -> Series:
    """One metric; as it is when it fits, else in buckets with minimum and maximum."""
    if all(series.name != name for series in parts.store.series(run)):
        raise ApiError(404, f"Run {run} has no metric {name!r} (yet).")
    return parts.store.points(run, name, first, last, points)


@router.get(
    "/hardware",
)
def run_hardware(
    run: KnownRun,
    parts: Parts,
    points: Annotated[int, Query(ge=1, le=10_000, description="At most so many.")] = 500,
) -> list[HardwareSample]:
    """Hardware samples taken while the run was active, oldest first."""
    return parts.store.hardware(run, limit=points)


@router.get(
    "/log",
    response_class=Response,
    responses={
        200: {
            "content": {"application/octet-stream": _BYTES},
            "headers": {
                name: {"description": text, "schema": {"type": "integer"}, "required": True}
                for name, text in (
                    ("X-Log-Attempt", "The attempt that wrote it."),
                    ("X-Log-Offset", "Where the first byte stands."),
                    ("X-Log-Size", "Bytes that there are by now."),
                )
            },
        }
    },
)
def run_log(
    run: KnownRun,
    parts: Parts,
    attempt: Annotated[int | None, Query(ge=1, description="Silent: the latest.")] = None,
    offset: Annotated[
        int,
        Query(ge=-_LONGEST_NUMBER, le=_LONGEST_NUMBER, description="Negative counts from the end."),
    ] = 0,
    limit: Annotated[int, Query(ge=0, le=1 << 24, description="At most so many bytes.")] = 1 << 20,
) -> Response:
    """A part of the raw output of an attempt."""
    folder = parts.home.run(run)
    number = attempt or max((entry.number for entry in folder.attempts()), default=1)
    if attempt is not None and not folder.attempt(attempt).path.is_dir():
        raise ApiError(404, f"Run {run} has no attempt {attempt}.")
    part = read_range(folder.attempt(number).output, offset, limit)
    headers = {
        "X-Log-Attempt": str(number),
        "X-Log-Offset": str(part.offset),
        "X-Log-Size": str(part.size),
    }
    return Response(part.data, media_type="application/octet-stream", headers=headers)


@router.get(
    "/files",
)
def run_files(run: KnownRun, parts: Parts) -> list[FileInfo]:
    """The files of the run folder."""
    folder = parts.home.run(run).path
    return sorted(_files(folder), key=lambda info: info.path)


@router.get(
    "/files/{path:path}",
    response_class=FileResponse,
    responses={200: {"content": {"application/octet-stream": _BYTES}}},
)
def run_file(
    run: KnownRun,
    parts: Parts,
    path: Annotated[str, PathParameter(description="As /files tells it.")],
) -> FileResponse:
    """One file of the run folder."""
    folder = parts.home.run(run).path.resolve()
    missing = ApiError(404, f"Run {run} has no file {path!r}.")
    try:
        found = (folder / path).resolve()
        if not found.is_relative_to(folder) or not found.is_file():
            raise missing
    except (OSError, ValueError) as error:
        raise missing from error
    return FileResponse(found, media_type="application/octet-stream")


def _files(folder: Path) -> Iterator[FileInfo]:
    for path in folder.rglob("*"):
        try:
            if path.is_file() and path.resolve().is_relative_to(folder.resolve()):
                stat = path.stat()
                name = path.relative_to(folder).as_posix()
                yield FileInfo(path=name, size=stat.st_size, modified=stat.st_mtime)
        except FileNotFoundError:
            # A temporary file that its writer has put into place meanwhile.
            continue
