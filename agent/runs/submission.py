"""From what somebody submits to a resolved spec that runs the same from any folder."""

from __future__ import annotations

import json
import random
import string
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from luthier.trainers.errors import LuthierError, Problem, SpecError
from luthier.trainers.spec import RunSpec
from luthier.trainers.spec.file import build_spec, parse_spec

from ..models import SubmitRequest

HOSTS = ("local",)

# Settings that may name a file or folder; a function is file.py:name.
_PATHS = (
    ("data", "path"),
    ("model", "name_or_path"),
    ("model", "tokenizer"),
    ("model", "chat_template"),
    ("training", "resume_from_checkpoint"),
)
_FUNCTIONS = (("data", "prompt_function"), ("data", "completion_function"))
_FILE_ENDINGS = (".csv", ".tsv", ".jsonl", ".json", ".parquet", ".jinja", ".py")


def resolve(request: SubmitRequest) -> RunSpec:
    """The spec with every setting, its paths absolute and its name chosen.

    Raises:
        SpecError: it cannot work; carries every problem.
        LuthierError: an override is malformed, or the working directory is relative.
    """
    spec = _parsed(request)
    directory = _working_directory(request)
    values = spec.model_dump(mode="json")
    problems = [
        *_absolute_paths(values, directory, request.source),
        *_host_problems(spec, request.source),
    ]
    if problems:
        raise SpecError(problems)
    values["name"] = spec.name or _made_name(values)
    return build_spec(values, source=request.source)


def changed(text: str, overrides: Sequence[str], task: str) -> RunSpec:
    """A run's spec with overrides applied, for its next attempt.

    Raises:
        SpecError: the result cannot work.
        LuthierError: an override is malformed, or changes the task.
    """
    spec = parse_spec(text, source="spec.yaml", overrides=overrides)
    if spec.task != task:
        raise LuthierError(
            f"The run is of task {task} and cannot go on as {spec.task}.",
            hint="Submit a new run instead.",
        )
    request = SubmitRequest(spec=spec.model_dump(mode="json"), source="spec.yaml")
    return resolve(request)


def new_run_id() -> str:
    """A fresh id: local date, time, and four letters."""
    letters = "".join(random.choices(string.ascii_lowercase, k=4))
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{letters}"


def _parsed(request: SubmitRequest) -> RunSpec:
    if isinstance(request.spec, str):
        return parse_spec(request.spec, source=request.source, overrides=request.overrides)
    # JSON is YAML, and overrides are applied to text.
    text = json.dumps(request.spec, ensure_ascii=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise SpecError([Problem("holds half of a Unicode character", request.source)]) from error
    if not request.overrides:
        return build_spec(request.spec, source=request.source)
    return parse_spec(text, source=request.source, overrides=request.overrides)


def _working_directory(request: SubmitRequest) -> Path | None:
    if request.working_directory is None:
        return None
    directory = Path(request.working_directory)
    if "\0" in request.working_directory or not directory.is_absolute():
        raise LuthierError(
            f"working_directory: {request.working_directory!r} is not an absolute path."
        )
    return directory


def _absolute_paths(values: dict[str, Any], directory: Path | None, source: str) -> list[Problem]:
    """Make paths absolute in place; a path that can only be a missing file is a problem."""
    problems = []
    for section, key in (*_PATHS, *_FUNCTIONS):
        value = values.get(section, {}).get(key)
        if not value:
            continue
        written, separator, function = value, "", ""
        if (section, key) in _FUNCTIONS:
            written, separator, function = value.rpartition(":")
        found = _find(written, directory)
        if found is not None:
            values[section][key] = f"{found}{separator}{function}"
        elif _means_a_file(written):
            where = f"{directory or 'the folder it is written for'}"
            sentence = f"{section}.{key}: there is no {written}"
            if not Path(written).expanduser().is_absolute():
                sentence += f" in {where}"
            problems.append(Problem(sentence, source))
    return problems


def _find(written: str, directory: Path | None) -> Path | None:
    try:
        path = Path(written).expanduser()
        if not path.is_absolute():
            if directory is None:
                return None
            path = directory / path
        return path.resolve() if path.exists() else None
    except (OSError, RuntimeError, ValueError):
        # No path at all: an unknown home, a zero byte, a name that is too long.
        return None


def _means_a_file(written: str) -> bool:
    return written.startswith((".", "/", "~")) or written.endswith(_FILE_ENDINGS)


def _host_problems(spec: RunSpec, source: str) -> list[Problem]:
    if spec.launch.host in HOSTS:
        return []
    known = ", ".join(HOSTS)
    return [Problem(f"launch.host: there is no host {spec.launch.host!r}; known: {known}", source)]


def _made_name(values: dict[str, Any]) -> str:
    model = Path(values.get("model", {}).get("name_or_path", "")).name
    data = Path(values.get("data", {}).get("path", "")).stem
    return "-".join(part for part in (model, data) if part)[:100] or str(values["task"])
