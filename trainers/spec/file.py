"""Reading and writing specs as YAML, with errors that name the line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ..errors import LuthierError, Problem, SpecError
from .declarations import position
from .run_spec import RunSpec
from .yaml_loader import SpecLoader, dump_yaml, load_yaml

KeyPath = tuple[str | int, ...]


def load_spec(path: Path, overrides: Iterable[str] = ()) -> RunSpec:
    """Read a spec file; relative data and model paths stay relative to the caller's folder.

    Args:
        path: the YAML file.
        overrides: ``section.key=value`` settings that win over the file.

    Raises:
        LuthierError: the file cannot be read.
        SpecError: the spec cannot work; carries every problem with file and line.
    """
    if not path.exists():
        raise LuthierError(f"{path}: there is no such file.")
    if path.is_dir():
        raise LuthierError(f"{path} is a folder; name the spec file in it.")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise LuthierError(
            f"{path}: not UTF-8 text (byte {error.start}).", hint="Save it as UTF-8."
        ) from error
    except OSError as error:
        raise LuthierError(f"{path}: {error.strerror}.") from error
    return parse_spec(text, source=str(path), overrides=overrides)


def parse_spec(text: str, *, source: str = "spec", overrides: Iterable[str] = ()) -> RunSpec:
    """Parse YAML text into the spec of its task. Raises SpecError like load_spec."""
    values, lines = _parse_yaml(text, source)
    for override in overrides:
        _apply_override(values, lines, override)
    return build_spec(values, source=source, lines=lines)


def build_spec(
    values: Mapping[str, Any], *, source: str = "spec", lines: Mapping[KeyPath, int] | None = None
) -> RunSpec:
    """Validate plain values into the spec of their task. Raises SpecError."""
    from ..registry import find_task, tasks  # tasks import the spec package

    where = _Locator(source, lines or {})
    task = values.get("task")
    if task is None:
        known = ", ".join(tasks())
        raise SpecError([Problem(f"task is missing; choose one of {known}", source)])
    if not isinstance(task, str):
        raise SpecError([Problem("task must be a name such as llm-sft", where(("task",)))])
    try:
        entry = find_task(task)
    except LuthierError as error:
        raise SpecError([Problem(f"task: {error}", where(("task",)))]) from error
    model = entry.spec
    try:
        # The spec says the task's own id, whichever of its names was written.
        return model.model_validate({**values, "task": entry.id})
    except ValidationError as error:
        raise SpecError(_problems(model, error.errors(), where)) from error


def dump_spec(spec: RunSpec) -> str:
    """The spec as YAML, every setting written out."""
    values = spec.model_dump(mode="json")
    return dump_yaml({name: values[name] for name in sorted(values, key=position)})


class _Locator:
    """Turns a key path into ``file:line`` as exactly as the lines are known."""

    def __init__(self, source: str, lines: Mapping[KeyPath, int]) -> None:
        self._source = source
        self._lines = lines

    def __call__(self, path: KeyPath) -> str:
        while path:
            line = self._lines.get(path)
            if line is not None:
                return f"{self._source}:{line}" if line else "--set"
            path = path[:-1]
        return self._source


def _parse_yaml(text: str, source: str) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    try:
        root = yaml.compose(text, Loader=SpecLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{source}:{mark.line + 1}" if mark else source
        raise SpecError([Problem(f"not valid YAML: {error.problem}", where)]) from error
    except yaml.YAMLError as error:
        raise SpecError([Problem(f"not valid YAML: {error}", source)]) from error
    except RecursionError as error:
        raise SpecError([Problem("not a spec: nested too deeply", source)]) from error
    if root is None:
        raise SpecError([Problem("the spec is empty; write one with: luthier init TASK", source)])
    if not isinstance(root, yaml.MappingNode):
        raise SpecError([Problem("a spec is a mapping of sections (key: value lines)", source)])
    lines: dict[KeyPath, int] = {}
    problems: list[Problem] = []
    _note_lines(root, (), lines, problems, source)
    if problems:
        raise SpecError(problems)
    try:
        values = load_yaml(text)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a number of 5,000 digits
        raise SpecError([Problem(f"not valid YAML: {error}", source)]) from error
    return values, lines


def _note_lines(
    node: yaml.Node,
    path: KeyPath,
    lines: dict[KeyPath, int],
    problems: list[Problem],
    source: str,
) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*path, key.value if isinstance(key.value, str) else str(key.value))
            line = key.start_mark.line + 1
            if here in lines:
                name = ".".join(map(str, here))
                problems.append(Problem(f"{name} stands twice; keep one", f"{source}:{line}"))
            lines[here] = line
            _note_lines(value, here, lines, problems, source)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[(*path, index)] = value.start_mark.line + 1
            _note_lines(value, (*path, index), lines, problems, source)


def _apply_override(values: dict[str, Any], lines: dict[KeyPath, int], override: str) -> None:
    key, separator, text = override.partition("=")
    names = key.strip().split(".")
    if not separator or not all(names):
        raise LuthierError(
            f"--set {override}: not of the form section.key=value.",
            hint="For example --set training.max_steps=10.",
        )
    try:
        value = load_yaml(text)
    except yaml.YAMLError as error:
        raise LuthierError(f"--set {override}: {text!r} is not a YAML value.") from error
    target: Any = values
    for name in names[:-1]:
        if target.get(name) is None:
            target[name] = {}
        target = target[name]
        if not isinstance(target, dict):
            raise LuthierError(f"--set {override}: {name} is a value, not a section.")
    target[names[-1]] = value
    path = tuple(names)
    for known in [known for known in lines if known[: len(path)] == path]:
        del lines[known]
    lines[path] = 0


def _problems(
    model: type[BaseModel], errors: Iterable[ErrorDetails], where: _Locator
) -> list[Problem]:
    """One problem for each setting; the branches of a union are one setting."""
    expected: dict[KeyPath, list[str]] = {}
    shown: dict[KeyPath, str] = {}
    found: list[Problem] = []
    for details in errors:
        if details["type"] == "conflict":
            key = str(details["ctx"]["key"])
            message = f"{key}: {details['ctx']['message']}"
            found.append(Problem(message, where(tuple(key.split(".")))))
            continue
        path = _setting(model, tuple(details["loc"]))
        if details["type"] == "extra_forbidden":
            found.append(Problem(_unknown_key(model, path), where(path)))
        elif details["type"] == "missing":
            found.append(Problem(f"{'.'.join(map(str, path))} is missing", where(path)))
        else:
            expected.setdefault(path, []).append(_expectation(details))
            value = details["input"]
            shown[path] = "" if isinstance(value, dict | list) else f", not {value!r}"
    for path, wishes in expected.items():
        if any(other[: len(path)] == path for other in expected if other != path):
            continue  # a branch of a union that the other branch's item explains better
        name = ".".join(map(str, path))
        text = " or ".join(dict.fromkeys(wishes))
        found.append(Problem(f"{name} must be {text}{shown[path]}", where(path)))
    return found


_PLAIN_WORDS = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "a mapping (key: value lines)",
    "float_parsing": "a number",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_attributes_type": "a section (key: value lines)",
    "model_type": "a section (key: value lines)",
    "string_type": "text",
}


def _expectation(details: ErrorDetails) -> str:
    """What the setting would take, to follow "must be"."""
    plain = _PLAIN_WORDS.get(details["type"])
    if plain:
        return plain
    context = details.get("ctx", {})
    if details["type"] == "literal_error":
        return str(context["expected"]).replace("'", "")
    if details["type"] == "string_too_short":
        return "text that is not empty"
    return details["msg"].removeprefix("Input should be ").removeprefix("Value should be ")


def _setting(model: type[BaseModel], path: KeyPath) -> KeyPath:
    """The path to the setting itself: without the names that pydantic gives a union's branches.

    Below a setting, positions in a list and keys of a mapping are kept.
    """
    current = model
    for depth, part in enumerate(path):
        section = _section(current, part)
        if section is None:
            field = current.model_fields.get(str(part))
            below = path[depth + 1 :]
            if field and get_origin(field.annotation) is not dict:
                below = tuple(step for step in below if isinstance(step, int))
            return (*path[: depth + 1], *below)
        current = section
    return path


def _section(model: type[BaseModel], key: str | int) -> type[BaseModel] | None:
    field = model.model_fields.get(str(key))
    annotation = field.annotation if field else None
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return None


def _unknown_key(model: type[BaseModel], path: KeyPath) -> str:
    section: type[BaseModel] = model
    for part in path[:-1]:
        section = _section(section, part) or section
    unknown, name = str(path[-1]), ".".join(map(str, path))
    near = get_close_matches(unknown, section.model_fields, n=1, cutoff=0.6)
    if near:
        prefix = ".".join(map(str, path[:-1]))
        nearest = f"{prefix}.{near[0]}" if prefix else near[0]
        return f"unknown key {name}; did you mean {nearest}?"
    elsewhere = [
        f"{section_name}.{unknown}"
        for section_name in model.model_fields
        if (inner := _section(model, section_name)) and unknown in inner.model_fields
    ]
    if elsewhere:
        return f"unknown key {name}; did you mean {elsewhere[0]}?"
    return f"unknown key {name}; known here: {', '.join(section.model_fields)}"
