"""YAML as people mean it: YAML 1.2's plain values instead of 1.1's.

With PyYAML's own rules ``strategy: no`` is false, ``3e-5`` is text and ``2026-01-01`` is a date.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

_BOOLEAN = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
_FLOAT = re.compile(
    r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$"
    r"|^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$"
)
_INTEGER = re.compile(r"^[-+]?[0-9]+$")


class SpecLoader(yaml.SafeLoader):
    """A safe loader with YAML 1.2's booleans and numbers and no dates."""


# PyYAML keeps resolvers by first character; those of the changed types are taken out and put anew.
_REPLACED = {f"tag:yaml.org,2002:{name}" for name in ("bool", "float", "int", "timestamp")}
SpecLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _REPLACED]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
SpecLoader.add_implicit_resolver("tag:yaml.org,2002:bool", _BOOLEAN, list("tTfF"))
SpecLoader.add_implicit_resolver("tag:yaml.org,2002:int", _INTEGER, list("-+0123456789"))
SpecLoader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))


def _integer(loader: SpecLoader, node: yaml.ScalarNode) -> int:
    return int(loader.construct_scalar(node))


SpecLoader.add_constructor("tag:yaml.org,2002:int", _integer)


def load_yaml(text: str) -> Any:
    """The value of one YAML document. Raises yaml.YAMLError."""
    return yaml.load(text, Loader=SpecLoader)


class SpecDumper(yaml.SafeDumper):
    """Writes what SpecLoader, and any reader of YAML 1.1, reads back as the same values.

    PyYAML's own dumper leaves the text ``3e-5`` without quotes, which YAML 1.2 takes for a number.
    """


SpecDumper.yaml_implicit_resolvers = {
    first: [
        *yaml.SafeDumper.yaml_implicit_resolvers.get(first, []),
        *SpecLoader.yaml_implicit_resolvers.get(first, []),
    ]
    for first in {*yaml.SafeDumper.yaml_implicit_resolvers, *SpecLoader.yaml_implicit_resolvers}
}


def dump_yaml(values: Any, *, flow: bool = False) -> str:
    """``values`` as YAML text, keys in their order; ``flow`` puts everything on one line."""
    text: str = yaml.dump(
        values,
        Dumper=SpecDumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=flow,
        width=float("inf") if flow else 100,
    )
    return text.removesuffix("...\n").removesuffix("\n") if flow else text
