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

from ..hosts.local import LOCAL
from ..models import SubmitRequest

# Settings that may name a file or folder; a function is file.py:name.
_PATHS = (
    ("data", "path"),
    ("model", "name_or_path"),
    ("model", "tokenizer"),
    ("model", "chat_template"),
    ("training", "resume_from_checkpoint"),
    ("training", "ref_model"),
    ("training", "teacher_model_name_or_path"),
    ("rewards", "model"),
)
_FUNCTIONS = (
    ("data", "prompt_function"),
    ("data", "completion_function"),
    ("rewards", "functions"),
)
_FILE_ENDINGS = (".csv", ".tsv", ".jsonl", ".json", ".parquet", ".jinja", ".py")


def resolve(request: SubmitRequest, hosts: Sequence[str] = (LOCAL,)) -> RunSpec:
    """The spec with every setting, its paths absolute and its name chosen.

    Args:
        request: what was submitted.
        hosts: the names of the hosts that there are.

    Raises:
        SpecError: it cannot work; carries every problem.
        LuthierError: an override is malformed, or the working directory is relative.
    """
    spec = _parsed(request)
    directory = _working_directory(request)
    values = spec.model_dump(mode="json")
    problems = [
        *_absolute_paths(values, directory, request.source),
        *_host_problems(spec, request.source, hosts),
    ]
    if problems:
        raise SpecError(problems)
    values["name"] = spec.name or _made_name(values)
    return build_spec(values, source=request.source)


def located(request: SubmitRequest) -> RunSpec:
    """The spec with those of its paths absolute that exist here; nothing else is asked of it.

    Raises:
        SpecError: it cannot work.
        LuthierError: an override is malformed, or the working directory is relative.
    """
    values = _parsed(request).model_dump(mode="json")
    _absolute_paths(values, _working_directory(request), request.source)
    return build_spec(values, source=request.source)


def changed(
    text: str, overrides: Sequence[str], task: str, hosts: Sequence[str] = (LOCAL,)
) -> RunSpec:
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
    return resolve(request, hosts)


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
        several = value if isinstance(value, list) else [value]
        is_function = (section, key) in _FUNCTIONS
        found = []
        for each in several:
            made, problem = _absolute(each, directory, is_function=is_function)
            found.append(made)
            if problem:
                problems.append(Problem(f"{section}.{key}: {problem}", source))
        values[section][key] = found if isinstance(value, list) else found[0]
    return problems


def _absolute(value: str, directory: Path | None, *, is_function: bool) -> tuple[str, str]:
    """The value with its path absolute where that is there, and what is wrong with it."""
    if is_function and ".py:" not in value:
        return value, ""
    written, separator, function = value.rpartition(":") if is_function else (value, "", "")
    found = _find(written, directory)
    if found is not None:
        return f"{found}{separator}{function}", ""
    if not _means_a_file(written):
        return value, ""
    sentence = f"there is no {written}"
    if not Path(written).expanduser().is_absolute():
        sentence += f" in {directory or 'the folder it is written for'}"
    return value, sentence


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


def _host_problems(spec: RunSpec, source: str, hosts: Sequence[str]) -> list[Problem]:
    if spec.launch.host in hosts:
        return []
    known = ", ".join(hosts)
    return [Problem(f"launch.host: there is no host {spec.launch.host!r}; known: {known}", source)]


def _made_name(values: dict[str, Any]) -> str:
    model = Path(values.get("model", {}).get("name_or_path", "")).name
    data = Path(values.get("data", {}).get("path", "")).stem
    return "-".join(part for part in (model, data) if part)[:100] or str(values["task"])
