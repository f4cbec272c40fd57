"""What each part may load, seen in real interpreters: the static graph cannot see deferral."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MACHINE_LEARNING = {
    "accelerate", "bitsandbytes", "datasets", "peft", "torch", "transformers", "trl",
}  # fmt: skip
TERMINAL = {"rich", "textual", "typer"}
AGENT_ONLY = {"paramiko", "pynvml", "sqlite_utils"}

CASES = [
    ("luthier.trainers.registry", MACHINE_LEARNING | TERMINAL | AGENT_ONLY),
    ("luthier.trainers.spec.file", MACHINE_LEARNING | TERMINAL | AGENT_ONLY),
    ("luthier.trainers.events", MACHINE_LEARNING | TERMINAL | AGENT_ONLY),
    ("luthier.trainers.run_folder", MACHINE_LEARNING | TERMINAL | AGENT_ONLY),
    ("luthier.trainers.data", MACHINE_LEARNING | TERMINAL | AGENT_ONLY),
    ("luthier.trainers.demo", MACHINE_LEARNING | TERMINAL | AGENT_ONLY),
    ("luthier.presets", MACHINE_LEARNING | TERMINAL | AGENT_ONLY),
    ("luthier.agent.client", MACHINE_LEARNING | AGENT_ONLY | {"textual", "typer"}),
    ("luthier.agent.daemon", MACHINE_LEARNING | TERMINAL | {"pandas", "numpy"}),
    ("luthier.agent.app", MACHINE_LEARNING | TERMINAL | {"pandas", "numpy"}),
    ("luthier.agent.cli.main", MACHINE_LEARNING | {"textual", "uvicorn", "sqlite_utils"}),
    ("luthier.tui", MACHINE_LEARNING | AGENT_ONLY),
    ("luthier.tui.app", MACHINE_LEARNING | AGENT_ONLY),
]


@pytest.mark.parametrize(("module", "forbidden"), CASES, ids=[case[0] for case in CASES])
def test_a_module_loads_nothing_it_must_not(module: str, forbidden: set[str]) -> None:
    code = f"import sys, {module}; print('\\n'.join({{m.split('.')[0] for m in sys.modules}}))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert forbidden & set(result.stdout.split()) == set()


@pytest.mark.parametrize("package", ["tui", "agent", "trainers", "presets"])
def test_inside_a_package_imports_are_relative_across_packages_absolute(package: str) -> None:
    wrong = []
    for file in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                parts = node.module.split(".")
                own = parts[:2] == ["luthier", package]
                bare = parts[0] in {"tui", "agent", "trainers", "presets"}
                if own or bare:
                    wrong.append(f"{file.relative_to(ROOT)}:{node.lineno} {node.module}")
    assert wrong == []
