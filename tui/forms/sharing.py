"""A form as something to take along: a spec file, or commands for a shell."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

from luthier.trainers.spec.yaml_loader import dump_yaml

from .form import Form


def as_yaml(form: Form) -> str:
    """A spec file with what differs from the defaults."""
    lines = [f"# {form.task.title}. Everything that is not here keeps its default."]
    if form.preset:
        lines.append(f"# Started from the preset {form.preset.name}.")
    return "\n".join(lines) + "\n" + dump_yaml(form.values())


def as_command(form: Form) -> str:
    """Commands that start the same run from a shell, in the folder where they are typed."""
    preset = f" --preset {shlex.quote(form.preset.name)}" if form.preset else ""
    file = f"{re.sub(r'[^a-z0-9]+', '-', str(form.value('name')).lower()).strip('-')}.yaml"
    file = file if file != ".yaml" else f"{form.task.id}.yaml"
    settings = [shlex.quote(f"--set={key}={_one_line(value)}") for key, value in form.own().items()]
    run = " \\\n  ".join([f"luthier run {file}", *settings])
    return f"luthier init {form.task.id}{preset} -o {file} &&\n{run}\n"


def _one_line(value: Any) -> str:
    """A value as YAML on one line, however many lines a text in it has."""
    text = dump_yaml(value, flow=True)
    return json.dumps(value, ensure_ascii=False) if "\n" in text else text
