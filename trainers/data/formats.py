"""What a row is, found by looking at the columns and their first values.

text                one text
prompt-completion   a question and its answer, as text or as messages
messages            an OpenAI chat: a list of {role, content}
conversations       a ShareGPT chat: a list of {from, value}
alpaca              instruction, input (may be empty) and output
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from ..spec import TextDataSection
from .chats import looks_like_chat, uses_from_and_value
from .problems import data_error, listed, missing_column
from .table import Table

# Each part with the column names that it goes by.
_NAMES: dict[str, dict[str, tuple[str, ...]]] = {
    "messages": {"messages": ("messages",)},
    "conversations": {"conversations": ("conversations", "conversation")},
    "alpaca": {
        "instruction": ("instruction",),
        "input": ("input", "context"),
        "output": ("output", "response"),
    },
    "prompt-completion": {"prompt": (), "completion": ()},
    "text": {"text": ("text", "content", "document")},
}
# A prompt and a completion are found together, so that no stray column is taken for one.
_PAIRS = (
    ("prompt", "completion"),
    ("prompt", "response"),
    ("question", "answer"),
    ("question", "response"),
    ("input", "output"),
    ("instruction", "response"),
    ("query", "response"),
)
_EXTRA: dict[str, tuple[str, ...]] = {"system": ("system", "system_prompt"), "tools": ("tools",)}


OPTIONAL_PARTS = frozenset({"input", *_EXTRA})

PARTS: dict[str, tuple[str, ...]] = {
    "messages": ("messages", *_EXTRA),
    "conversations": ("conversations", *_EXTRA),
    "alpaca": (*_NAMES["alpaca"], "system"),
    "prompt-completion": ("prompt", "completion", "system"),
    "text": ("text",),
}
"""Each format with the parts that columns can play in it, those that must be there first."""


@dataclass(frozen=True)
class Recognition:
    """How rows are read.

    Attributes:
        format: text, prompt-completion, messages, conversations or alpaca.
        parts: which column plays which part; a part that a template or function writes is
            not among them.
    """

    format: str
    parts: dict[str, str]


def recognise(table: Table, section: TextDataSection, *, task: str = "llm-sft") -> Recognition:
    """Find the format: what the spec says of it first, then the names and first values.

    Raises:
        DataError: a column that the spec names is not there, or no format fits.
    """
    columns = [name for name in table.columns if name != section.weight_column]
    _check_mapping(section.column_mapping, columns)
    written = {
        part
        for part in ("prompt", "completion")
        if getattr(section, f"{part}_template") or getattr(section, f"{part}_function")
    }
    if written:
        return _written(table, section, written, columns)
    if section.format != "auto":
        return _named(table, section.format, section.column_mapping, columns)
    if section.column_mapping:
        return _mapped(table, section.column_mapping, columns)
    return _looked_at(table, columns, task)


def _check_mapping(mapping: Mapping[str, str], columns: list[str]) -> None:
    parts = [part for names in _NAMES.values() for part in names] + list(_EXTRA)
    for part, column in mapping.items():
        where = "data.column_mapping"
        if part not in parts:
            if part in columns and column in parts:
                raise data_error(f"write the part first: {{{column}: {part}}}", where)
            near = get_close_matches(part, parts, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"the parts are {listed(parts)}"
            raise data_error(f"there is no part {part!r}; {hint}", where)
        if column not in columns:
            raise data_error(missing_column(column, columns), where)


def _written(
    table: Table, section: TextDataSection, written: set[str], columns: list[str]
) -> Recognition:
    """At least one of prompt and completion comes from a template or function."""
    if section.format not in ("auto", "prompt-completion"):
        raise data_error(
            f"{section.format} does not go with a template or function; leave data.format out",
            "data.format",
        )
    parts = {}
    for part, names in (("prompt", 0), ("completion", 1)):
        if part in written:
            continue
        wanted = (pair[names] for pair in _PAIRS)
        column = section.column_mapping.get(part) or _find(wanted, columns)
        if column is None:
            text = f"no column is known to be the {part}; set data.{part}_template"
            raise data_error(text, table.name)
        parts[part] = column
    return Recognition(
        "prompt-completion", {**parts, **_extra("prompt-completion", section.column_mapping, [])}
    )


def _named(table: Table, name: str, mapping: Mapping[str, str], columns: list[str]) -> Recognition:
    """The spec names the format: its columns must be there."""
    foreign = [part for part in mapping if part not in {**_NAMES[name], **_EXTRA}]
    if foreign:
        raise data_error(
            f"the format {name} has no part {foreign[0]!r}; its parts are {listed(_NAMES[name])}",
            "data.column_mapping",
        )
    parts = _parts(name, mapping, columns)
    if name in ("messages", "conversations") and name not in parts:
        parts = {**({name: chat} if (chat := _chat_column(table, columns)) else {}), **parts}
    if name == "text" and len(columns) == 1:
        parts = {"text": columns[0]}
    for part in _NAMES[name]:
        if part not in parts and part not in OPTIONAL_PARTS:
            raise data_error(
                f"{missing_column(part, columns)} (data.format {name} needs it; "
                f"name another with data.column_mapping)",
                table.name,
            )
    return Recognition(name, parts)


def _mapped(table: Table, mapping: Mapping[str, str], columns: list[str]) -> Recognition:
    """The parts in the mapping tell the format; the rest of its parts may go by their names."""
    fitting = [name for name, own in _NAMES.items() if set(mapping) <= {*own, *_EXTRA}]
    chosen = [name for name in fitting if set(mapping) & set(_NAMES[name])]
    if len(chosen) == 1:
        return _named(table, chosen[0], mapping, columns)
    if fitting:
        found = _looked_at(table, columns, "llm-sft")
        return Recognition(found.format, {**found.parts, **mapping})
    raise data_error(
        f"the parts {listed(mapping)} belong to different formats; "
        "use {prompt, completion}, {instruction, input, output}, {messages} or {text}",
        "data.column_mapping",
    )


def _looked_at(table: Table, columns: list[str], task: str) -> Recognition:
    """Nothing is said: values that are chats, then known names, then a single column."""
    chat = _chat_column(table, columns)
    if chat:
        name = "conversations" if uses_from_and_value(_first(table, chat)) else "messages"
        return Recognition(name, {name: chat, **_extra(name, {}, columns)})
    plain = [name for name in _NAMES if name != "text"]
    order = ["text", *plain] if task == "llm-generic" else [*plain, "text"]
    for name in order:
        parts = _parts(name, {}, columns)
        if set(_NAMES[name]) - OPTIONAL_PARTS <= set(parts) and not _is_pair(name, parts):
            return Recognition(name, parts)
    if len(columns) == 1:
        return Recognition("text", {"text": columns[0]})
    raise data_error(
        f"the columns {listed(columns)} fit no known format; {_nearly(columns)}say which is which "
        "with data.column_mapping, such as {prompt: question, completion: answer}",
        table.name,
    )


def _nearly(columns: list[str]) -> str:
    """A question about a column whose name is almost a known one."""
    for name in dict.fromkeys(name for pair in _PAIRS for name in pair):
        near = get_close_matches(name, columns, n=1)
        if near and near[0].lower() != name:
            return f"is {near[0]!r} meant to be {name!r}? "
    return ""


def _chat_column(table: Table, columns: list[str]) -> str | None:
    """The first column whose values are whole chats; a prompt alone is none."""
    wholes = (name for name in columns if name.lower() not in ("prompt", "completion"))
    return next((name for name in wholes if looks_like_chat(_first(table, name))), None)


def _first(table: Table, column: str) -> object:
    return next((row[column] for row in table.rows if row.get(column)), None)


def _is_pair(name: str, parts: Mapping[str, str]) -> bool:
    """Instruction and response without an input are a plain pair, not Alpaca's columns."""
    return name == "alpaca" and "input" not in parts and parts["output"].lower() == "response"


def _parts(name: str, mapping: Mapping[str, str], columns: list[str]) -> dict[str, str]:
    """The columns of a format as far as the mapping or their names tell."""
    free = [column for column in columns if column not in mapping.values()]
    parts = dict(mapping)
    if name == "prompt-completion":
        for pair in _PAIRS:
            found = [_find([word], free) for word in pair]
            given = [mapping.get("prompt"), mapping.get("completion")]
            both = [one or other for one, other in zip(given, found, strict=True)]
            if both[0] and both[1]:
                extra = _extra(name, mapping, free)
                return {**parts, "prompt": both[0], "completion": both[1], **extra}
        return parts
    for part, names in _NAMES[name].items():
        column = mapping.get(part) or _find(names, free)
        if column:
            parts[part] = column
    return {**parts, **_extra(name, mapping, free)}


def _extra(name: str, mapping: Mapping[str, str], columns: list[str]) -> dict[str, str]:
    """The system column of everything but text, and the tools column of chats."""
    by_name = {"text": (), "messages": ("system", "tools"), "conversations": ("system", "tools")}
    looked_for = by_name.get(name, ("system",))
    found = {
        part: mapping.get(part) or (_find(names, columns) if part in looked_for else None)
        for part, names in _EXTRA.items()
    }
    return {part: column for part, column in found.items() if column}


def _find(names: Iterable[str], columns: list[str]) -> str | None:
    """The first of the names that is a column, whatever its capitals."""
    known = {column.lower(): column for column in reversed(columns)}
    return next((known[name] for name in names if name in known), None)
