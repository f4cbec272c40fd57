"""The keys of the table in ``keys``, as Textual's bindings and as a key profile changes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from textual.binding import Binding

from luthier.trainers.errors import LuthierError

from . import settings
from .keys import TABLE, Key


def bindings(*sections: str) -> list[Binding]:
    """Textual's bindings of sections of the table, for ``BINDINGS``; ids are ``section.name``."""
    return [
        Binding(
            key.keys,
            key.action,
            key.label,
            show=key.footer > 0,
            tooltip=key.help,
            id=f"{section}.{name}",
            priority=key.priority,
        )
        for section in sections
        for name, key in TABLE[section].items()
    ]


def key_of(binding_id: str | None) -> Key | None:
    """The entry of an id; None for bindings that are not Luthier's."""
    section, _, name = (binding_id or "").partition(".")
    return TABLE.get(section, {}).get(name)


def load_profile(path: Path) -> dict[str, str]:
    """A key profile: ids with the keys that take the place of the usual ones.

    Raises:
        LuthierError: the file is missing or no mapping, an id is unknown, or two ids of one
            section have the same key; names the file and the id.
    """
    if not path.exists():
        raise LuthierError(f"{path}: the key profile does not exist.", hint="See settings, keys.")
    known = [f"{section}.{name}" for section, keys in TABLE.items() for name in keys]
    profile: dict[str, str] = {}
    for name, value in settings.read_mapping(path).items():
        if name not in known:
            raise LuthierError(
                f"{path}: {name}: no key has this id.{settings.nearest(name, known)}"
            )
        keys = [str(key).strip() for key in (value if isinstance(value, list) else [value])]
        profile[name] = ",".join(keys)
        if value is None or not all(part.strip() for part in profile[name].split(",")):
            raise LuthierError(f"{path}: {name}: names no key; write one such as x or ctrl+x.")
    _check_clashes(path, profile)
    return profile


def _check_clashes(path: Path, profile: Mapping[str, str]) -> None:
    for section, keys in TABLE.items():
        taken: dict[str, str] = {}
        for name, key in keys.items():
            own = f"{section}.{name}"
            for each in normal_keys(profile.get(own, key.keys)):
                other = taken.setdefault(each, own)
                clash = {own, other} & set(profile)
                if other != own and clash and TABLE[section][other.split(".")[1]] != key:
                    raise LuthierError(f"{path}: {each} is the key of both {other} and {own}.")


def normal_keys(keys: str) -> list[str]:
    """The single keys in Textual's long names: ``?`` is ``question_mark``."""
    return [binding.key for binding in Binding.make_bindings([Binding(keys, "")])]
