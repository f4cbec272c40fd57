"""Every exception becomes a status with one clear sentence."""

from __future__ import annotations

import errno
import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from luthier.trainers.errors import LuthierError, ProblemsError

from ..hosts.errors import HostUnreachableError
from ..models import ErrorReply
from ..services import services
from ..store import DamagedDatabase, StoreUnavailable, UnknownRun
from .errors import ApiError

_log = logging.getLogger(__name__)
_FULL = (errno.ENOSPC, errno.EDQUOT)


def install(app: FastAPI) -> None:
    """Let that application refuse in this way."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(LuthierError, _luthier)
    app.add_exception_handler(RecursionError, _too_deep)
    app.add_exception_handler(OSError, _system)
    app.add_exception_handler(Exception, _unexpected)


def _reply(
    status: int, sentence: str, problems: Sequence[str] = (), headers: Any = None
) -> JSONResponse:
    body = ErrorReply(error=_line(sentence), problems=[_line(problem) for problem in problems])
    return JSONResponse(body.model_dump(), status_code=status, headers=headers)


def _line(text: str) -> str:
    """The text on one line; halves of characters, which cannot be sent, become question marks."""
    return " ".join(text.encode("utf-8", "replace").decode("utf-8").split())


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    problems = [_problem(details) for details in error.errors()]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return _reply(422, f"{problems[0]}{more}", problems)


def _problem(details: dict[str, Any]) -> str:
    place, *rest = details["loc"]
    where = ".".join(str(part) for part in rest)
    if details["type"] == "json_invalid":
        return f"The body is not valid JSON: {details['ctx']['error']}."
    if not where:
        return f"The {place} is wrong: {details['msg']}."
    return f"{where} ({place}): {details['msg']}."


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    path = request.url.path
    if error.status_code == HTTPStatus.BAD_REQUEST:
        # FastAPI's word for bytes that are no text, or nothing but brackets.
        return _reply(422, "The body is not valid JSON: not UTF-8 text, or nested too deeply.")
    if error.status_code == HTTPStatus.NOT_FOUND:
        sentence = f"There is nothing at {path}; /openapi.json tells what there is."
    elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        sentence = f"{path} does not take {request.method}; /openapi.json tells what it takes."
    else:
        sentence = f"{error.detail}."
    return _reply(error.status_code, sentence, headers=error.headers)


async def _luthier(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, LuthierError)
    if isinstance(error, ProblemsError):
        problems = [str(problem) for problem in error.problems]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        return _reply(422, f"{problems[0]}{more}", problems)
    if isinstance(error, DamagedDatabase):
        services(request).runs.database_is_damaged(error)
        return _reply(503, "The agent's database is damaged and is being rebuilt; try again.")
    if isinstance(error, ApiError):
        status = error.status
    elif isinstance(error, StoreUnavailable | HostUnreachableError):
        status = 503
    elif isinstance(error, UnknownRun):
        status = 404
    else:
        status = 422
    return _reply(status, str(error))


async def _system(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, OSError)
    where = f"{error.filename}: " if error.filename else ""
    sentence = f"{where}{error.strerror or error}."
    if error.errno in _FULL:
        return _reply(507, f"{sentence} Free some space on that disk.")
    _log.error("%s %s", request.method, request.url.path, exc_info=error)
    return _reply(500, sentence)


async def _too_deep(request: Request, error: Exception) -> JSONResponse:
    return _reply(422, "What was sent is nested too deeply.")


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    # The server that calls this logs the error with its traceback.
    what = f"{type(error).__name__}: {error}"
    return _reply(500, f"The agent made a mistake ({what}); its log has the details.")
