"""Single cells: what they may hold, and the words for what is wrong with them."""

from __future__ import annotations

import json
import math
from typing import Any


class MistakeError(Exception):
    """A cell that cannot be read; the text goes on after the row's place."""


class EmptyCellError(Exception):
    """A cell that a row needs and that holds nothing; the text names it."""


def is_null(value: Any) -> bool:
    """Whether a cell holds nothing: null, or the not-a-number that tables write for it."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def is_blank(value: Any) -> bool:
    """Whether a cell holds nothing or only white space."""
    return is_null(value) or (isinstance(value, str) and not value.strip())


def kind_of(value: Any) -> str:
    """What a value is, in plain words."""
    if value is None:
        return "null"
    kinds = {bool: "true or false", int: "a number", float: "a number", str: "text"}
    kinds |= {list: "a list", dict: "a mapping"}
    return kinds.get(type(value), f"of type {type(value).__name__}")


def plain_text(value: Any) -> str:
    """A cell as text: numbers plainly, lists and mappings as JSON, null as nothing."""
    if is_null(value):
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def text_cell(value: Any, name: str) -> str:
    """The text of a cell. Raises EmptyCellError or MistakeError."""
    if is_blank(value):
        raise EmptyCellError(f"{name} is empty")
    if not isinstance(value, str):
        raise MistakeError(
            f"{name} is {kind_of(value)}, not text; write it as text, "
            f"or use a template with {{{name}}}"
        )
    return whole_characters(value, name)


def whole_characters(text: str, name: str) -> str:
    """The text itself. Raises MistakeError when tokenizers could not take it."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise MistakeError(f"{name} holds half of a character (a lone surrogate)") from error
    return text


def weight_cell(value: Any, name: str) -> float:
    """A row's weight. Raises MistakeError unless it is a number and not negative."""
    try:
        weight = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        weight = math.nan
    if not math.isfinite(weight):
        raise MistakeError(f"the weight in {name} is not a number")
    if weight < 0:
        raise MistakeError(f"the weight in {name} is negative; 0 leaves a row out")
    return weight


def tools_cell(value: Any, name: str) -> str:
    """The tools a chat may call, as JSON text. Raises MistakeError."""
    tools = parse_json(value, name) if isinstance(value, str) else value
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise MistakeError(f"{name} is not a list of tool descriptions")
    return json.dumps(tools)


def load_json(text: str) -> Any:
    """The value of JSON text. Raises JSONDecodeError, also for a number of too many digits."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError as error:
        raise json.JSONDecodeError("a number has thousands of digits", text, 0) from error


def parse_json(text: str, name: str) -> Any:
    """The value of JSON text. Raises MistakeError, which knows Python's spelling apart."""
    try:
        return load_json(text)
    except (json.JSONDecodeError, RecursionError) as error:
        if text.lstrip()[:2] in ("[{", "{'", "['") and "'" in text:
            raise MistakeError(
                f"{name} is Python text, not JSON; write it with json.dumps, not str"
            ) from error
        raise MistakeError(f"{name} is not valid JSON") from error
