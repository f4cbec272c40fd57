"""Which columns hold prompts, answers and labels, where answers are compared or judged.

pairs       a better and a worse answer (chosen, rejected), with their prompt or beginning with it
labelled    a prompt, one answer, and whether it is good; or pairs, which are one of each
prompts     a prompt alone; what else is in the row is for the rewards
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Literal

from ..spec.preference_data import ChatDataSection
from .formats import Recognition
from .problems import data_error, listed, missing_column
from .table import Table

Kind = Literal["pairs", "labelled", "prompts"]

_PROMPT = ("prompt", "question", "instruction", "problem", "query", "input", "prompt_text")
_NAMES: dict[str, dict[str, tuple[str, ...]]] = {
    "pairs": {
        "prompt": _PROMPT,
        "chosen": ("chosen", "chosen_response", "response_chosen", "preferred", "better", "text"),
        "rejected": (
            *("rejected", "rejected_text", "rejected_response", "response_rejected"),
            *("dispreferred", "worse"),
        ),
    },
    "labelled": {
        "prompt": _PROMPT,
        "completion": ("completion", "response", "answer", "output", "text"),
        "label": ("label", "labels", "target", "desirable", "is_good", "thumbs_up"),
        "messages": ("messages", "conversations", "conversation"),
    },
    "prompts": {"prompt": _PROMPT, "messages": ("messages", "conversations", "conversation")},
}
_NEEDED: dict[str, tuple[str, ...]] = {
    "pairs": ("chosen", "rejected"),
    "labelled": ("label",),
    "prompts": (),
}
_EXTRA: dict[str, tuple[str, ...]] = {"system": ("system", "system_prompt"), "tools": ("tools",)}
# The parts as AutoTrain's specs and forms name them.
_ALIASES = {
    "prompt_text_column": "prompt",
    "text_column": "chosen",
    "rejected_text_column": "rejected",
    "text": "chosen",
    "rejected_text": "rejected",
}
_EXAMPLES = {
    "pairs": "{prompt: question, chosen: better, rejected: worse}",
    "labelled": "{prompt: question, completion: answer, label: good}",
    "prompts": "{prompt: question}",
}


def recognise_preferences(table: Table, section: ChatDataSection, kind: Kind) -> Recognition:
    """Find which column plays which part.

    Args:
        table: the rows.
        section: its column_mapping counts first, then the names of columns.
        kind: what the task learns from; labelled rows may turn out to be pairs.

    Raises:
        DataError: a column that is named is not there, or one that is needed is not found.
    """
    mapping = _mapping(section.column_mapping, table, kind)
    if kind == "labelled" and "completion" not in mapping and "label" not in mapping:
        found = _found("pairs", mapping, table)
        if {"chosen", "rejected"} <= found.keys():
            return Recognition("pairs", found)
    parts = _found(kind, mapping, table)
    written = bool(section.prompt_template or section.prompt_function)
    if written:
        parts.pop("prompt", None)
    for missing in _missing(kind, parts, written=written):
        raise data_error(
            f"{missing_column(missing, table.columns)} (name the columns with "
            f"data.column_mapping, such as {_EXAMPLES[kind]})",
            table.name,
        )
    return Recognition(kind, parts)


def _mapping(given: Mapping[str, str], table: Table, kind: Kind) -> dict[str, str]:
    """The mapping with known parts only, AutoTrain's names turned into ours."""
    known = [*_NAMES[kind], *_EXTRA]
    if kind == "labelled":
        known += ["chosen", "rejected"]
    mapping: dict[str, str] = {}
    for name, column in given.items():
        part = _ALIASES.get(name, name) if kind == "pairs" else name
        if part not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"the parts are {listed(known)}"
            raise data_error(f"there is no part {name!r}; {hint}", "data.column_mapping")
        if column not in table.columns:
            raise data_error(missing_column(column, table.columns), "data.column_mapping")
        mapping[part] = column
    return mapping


def _found(kind: str, mapping: Mapping[str, str], table: Table) -> dict[str, str]:
    """Parts by the mapping, the others by their names among the columns that are left."""
    free = [column for column in table.columns if column not in mapping.values()]
    parts: dict[str, str] = {}
    for part, names in {**_NAMES[kind], **_EXTRA}.items():
        column = mapping.get(part) or _named(names, free)
        if column:
            parts[part] = column
            free = [name for name in free if name != column]
    if "prompt" in parts and kind != "pairs":
        parts.pop("messages", None)
    return parts


def _missing(kind: Kind, parts: Mapping[str, str], *, written: bool) -> list[str]:
    missing = [part for part in _NEEDED[kind] if part not in parts]
    if kind == "prompts" and not written and not {"prompt", "messages"} & parts.keys():
        missing.append("prompt")
    if kind == "labelled" and "messages" not in parts:
        missing += [] if written or "prompt" in parts else ["prompt"]
        missing += [] if "completion" in parts else ["completion"]
    return missing


def _named(names: Iterable[str], columns: list[str]) -> str | None:
    known = {column.lower(): column for column in reversed(columns)}
    return next((known[name] for name in names if name in known), None)


def label_column(table: Table, section: ChatDataSection) -> str | None:
    """The column that says which answers are good; None where none is found."""
    given = section.column_mapping.get("label")
    return (
        given
        if given in table.columns
        else _named(_NAMES["labelled"]["label"], list(table.columns))
    )
