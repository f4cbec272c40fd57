"""The agent's HTTP application."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from luthier import __version__

from .api import (
    agent,
    chats,
    estimates,
    hardware,
    hosts,
    openai,
    predictions,
    presets,
    refusals,
    results,
    runs,
    stream,
)
from .api.errors import replies
from .services import Services

_DESCRIPTION = """\
The agent owns the runs of one home. It listens on a Unix socket that only its owner may use:
`curl --unix-socket ~/.local/share/luthier/agent.sock http://luthier/v1/runs`.
Every refusal has the body of `ErrorReply`.
"""


def create_app(services: Services, *, end: Callable[[], None]) -> FastAPI:
    """The application over those parts.

    Args:
        services: what the routes work with.
        end: called when a client asks the agent to end.
    """
    app = FastAPI(
        title="Luthier agent",
        version=__version__,
        description=_DESCRIPTION,
        # The pages that show an API in the browser load their code from elsewhere.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        responses=replies(422, 500, 503, 507),
        telemetry={"auto_configure": False, "tracing": False, "metrics": False, "logs": False},
    )
    app.state.services = services
    app.state.end = end
    parts = (agent, runs, results, stream, hardware, hosts, presets, estimates, chats, predictions)
    for part in (*parts, openai):
        app.include_router(part.router)
    refusals.install(app)
    app.openapi = lambda: _true_schema(app)  # type: ignore[method-assign]
    return app


def _true_schema(app: FastAPI) -> dict[str, Any]:
    """The schema, with refusals as JSON also where the answer itself is something else."""
    if app.openapi_schema is None:
        app.openapi_schema = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        for path in app.openapi_schema["paths"].values():
            for operation in path.values():
                for status, response in operation["responses"].items():
                    if status[0] in "45":
                        (content,) = response["content"].values()
                        response["content"] = {"application/json": content}
    return app.openapi_schema
