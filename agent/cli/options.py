"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from .completion import complete_runs, complete_tasks


def flag(*names: str, help: str) -> Any:
    """A switch. Typer would show a type after it, as if a value had to follow."""
    return typer.Option(*names, help=help, metavar="")


Json = Annotated[bool, flag("--json", help="Print JSON and nothing else.")]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="A setting that wins over the file, such as training.max_steps=10. Repeatable.",
        show_default=False,
    ),
]
SpecFile = Annotated[Path, typer.Argument(metavar="SPEC", help="The spec file (YAML).")]
RunName = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="Run id, a beginning of it, or the run's name.",
        autocompletion=complete_runs,
    ),
]
RunNames = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN...",
        help="Run ids, beginnings of them, or names.",
        autocompletion=complete_runs,
    ),
]
TaskName = Annotated[
    str,
    typer.Argument(metavar="TASK", help="Task id, such as llm-sft.", autocompletion=complete_tasks),
]
HostName = Annotated[
    str | None,
    typer.Option("--host", metavar="HOST", help="Silent: the spec's own.", show_default=False),
]
AssumedMemory = Annotated[
    float | None,
    typer.Option(
        "--memory",
        metavar="GIB",
        min=0.001,
        help="Assume a device with so much free memory instead of the host's own.",
        show_default=False,
    ),
]
AssumedKind = Annotated[
    Literal["cpu", "cuda", "qaic"] | None,
    typer.Option("--device", help="Kind of the assumed device; cuda.", show_default=False),
]
AssumedCount = Annotated[
    int | None,
    typer.Option("--count", min=1, help="How many there are; 1.", show_default=False),
]
DataLengths = Annotated[
    bool,
    typer.Option(
        "--data/--no-data",
        help="Measure the rows, seconds the first time; without, all count as the longest.",
    ),
]
