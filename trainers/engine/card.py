"""README.md of a result: what it is, what it was made from, and how to load it. Torch-free."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

import yaml

from ..registry import Loading, find_task
from ..run_folder import RunFolder
from ..spec import GradientSpec, RunSpec

_ADAPTER = """\
from peft import PeftModel
from transformers import {classes}

folder = "."  # this folder, or its name on the hub
{processor} = {processor_class}.from_pretrained(folder)
model = {model_class}.from_pretrained({base})
model = PeftModel.from_pretrained(model, folder)
"""
_MODEL = """\
from transformers import {classes}

folder = "."  # this folder, or its name on the hub
{processor} = {processor_class}.from_pretrained(folder)
model = {model_class}.from_pretrained(folder)
"""
_CHAT = """
messages = [{{"role": "user", "content": {prompt}}}]
inputs = tokenizer.apply_chat_template(
    messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
)
"""
_TEXT = """
inputs = tokenizer({prompt}, return_tensors="pt")
"""
_ANSWER = """\
output = model.generate(**inputs, max_new_tokens=64, do_sample=False)
print(tokenizer.decode(output[0, inputs["input_ids"].shape[1]:], skip_special_tokens=True))
"""


def write_card(
    folder: Path, run: RunFolder, spec: RunSpec, figures: Mapping[str, float | None]
) -> None:
    """Write README.md into the folder of a result.

    Args:
        folder: holds an adapter or a whole model.
        run: the run it came from, whose provenance and data report are there.
        spec: the run's spec.
        figures: what was measured of this very result.
    """
    adapter = (folder / "adapter_config.json").exists()
    data = _read(run.provenance).get("data", {})
    settings = spec.model_dump(
        mode="json", include={"model", "training", "peft"}, exclude_defaults=True
    )
    header = _header(spec, adapter=adapter)
    parts = [
        f"---\n{yaml.safe_dump(header, sort_keys=False)}---",
        f"# {spec.name or run.run_id}",
        _origin(spec, adapter=adapter),
        f"## Use\n\n```python\n{_snippet(run, spec, adapter=adapter)}```",
        f"## Figures\n\n{_table(figures)}",
        f"## Data\n\n`{spec.data.path}`, fingerprint `{data.get('fingerprint', '')}`",
        "## Settings\n\nWhat differs from Luthier's defaults:\n\n"
        f"```yaml\n{yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)}```",
    ]
    (folder / "README.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _header(spec: RunSpec, *, adapter: bool) -> dict[str, Any]:
    loading = find_task(spec.task).loading
    header: dict[str, Any] = {}
    tags = ["luthier", spec.task]
    if isinstance(spec, GradientSpec):
        # The hub refuses a card that names a local folder there.
        if not Path(spec.model.name_or_path).exists():
            header["base_model"] = spec.model.name_or_path
        tags.append(spec.peft.method)
    header["library_name"] = "peft" if adapter and loading.auto_class else loading.library
    return {**header, "pipeline_tag": loading.pipeline_tag, "tags": tags}


def _origin(spec: RunSpec, *, adapter: bool) -> str:
    if not isinstance(spec, GradientSpec):
        return f"Trained with Luthier (task {spec.task})."
    trained = "every weight" if spec.peft.method == "none" else spec.peft.method
    merged = "" if adapter or spec.peft.method == "none" else ", merged into the model"
    return (
        f"Trained with Luthier (task {spec.task}, {trained}{merged}) "
        f"from `{spec.model.name_or_path}`."
    )


def _snippet(run: RunFolder, spec: RunSpec, *, adapter: bool) -> str:
    task, found = find_task(spec.task), _read(run.preflight)
    load = ""
    if isinstance(spec, GradientSpec) and task.loading.auto_class:
        load = _loading(spec, task.loading, adapter=adapter, own_head=bool(task.usage))
    if task.usage:
        examples = found.get("sample_inputs") or [{}]
        words = {role: repr(value) for role, value in examples[0].items()}
        return load + Template(task.usage).safe_substitute(words)
    samples = found.get("sample_prompts") or [{"prompt": "Hello"}]
    chat = _read(run.provenance).get("data", {}).get("chat", False)
    ask = (_CHAT if chat else _TEXT).format(prompt=json.dumps(samples[0]["prompt"]))
    return load + ask + _ANSWER


def _loading(spec: GradientSpec, loading: Loading, *, adapter: bool, own_head: bool) -> str:
    """The code that loads a result; an adapter with a head of its own brings its config along."""
    base = [repr(spec.model.name_or_path)]
    if spec.model.revision:
        base.append(f"revision={spec.model.revision!r}")
    if spec.model.trust_remote_code:
        base.append("trust_remote_code=True")
    classes = [loading.auto_class, loading.processor]
    if adapter and own_head:
        base += ["config=AutoConfig.from_pretrained(folder)", "ignore_mismatched_sizes=True"]
        classes.insert(0, "AutoConfig")
    return (_ADAPTER if adapter else _MODEL).format(
        classes=", ".join(classes),
        processor="tokenizer" if loading.processor == "AutoTokenizer" else "processor",
        processor_class=loading.processor,
        model_class=loading.auto_class,
        base=", ".join(base),
    )


def _table(figures: Mapping[str, float | None]) -> str:
    rows = [
        f"| {name} | {value:.6g} |" for name, value in sorted(figures.items()) if value is not None
    ]
    return "\n".join(["| figure | value |", "| --- | --- |", *rows])


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
