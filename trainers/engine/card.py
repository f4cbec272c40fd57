"""README.md of a result: what it is, what it was made from, and how to load it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from .job import Job

_ADAPTER = """\
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

folder = "."  # this folder, or its name on the hub
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained({base})
model = PeftModel.from_pretrained(model, folder)
"""
_MODEL = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

folder = "."  # this folder, or its name on the hub
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder)
"""
_CHAT = """\

messages = [{{"role": "user", "content": {prompt}}}]
inputs = tokenizer.apply_chat_template(
    messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
)
"""
_TEXT = """\

inputs = tokenizer({prompt}, return_tensors="pt")
"""
_ANSWER = """\
output = model.generate(**inputs, max_new_tokens=64, do_sample=False)
print(tokenizer.decode(output[0, inputs["input_ids"].shape[1]:], skip_special_tokens=True))
"""


def write_card(folder: Path, job: Job, metrics: dict[str, float | None]) -> None:
    """Write README.md into the folder of a result."""
    spec, adapter = job.spec, (folder / "adapter_config.json").exists()
    method = spec.peft.method if adapter or spec.peft.method == "none" else "merged"
    kind = {"none": "full model", "merged": f"merged {spec.peft.method}"}.get(method, method)
    header = {
        "base_model": spec.model.name_or_path,
        "library_name": "peft" if adapter else "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["luthier", spec.task, spec.peft.method],
    }
    parts = [
        f"---\n{yaml.safe_dump(header, sort_keys=False)}---",
        f"# {spec.name or job.run.run_id}",
        f"Trained by Luthier (task {spec.task}, {kind}) from `{spec.model.name_or_path}`.",
        f"## Use\n\n```python\n{snippet(job, adapter=adapter)}```",
        f"## Figures\n\n{_table(metrics)}",
        f"## Data\n\n`{spec.data.path}`, fingerprint `{job.fingerprint}`",
        f"## Settings\n\n```yaml\n{_settings(job)}```",
    ]
    (folder / "README.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def snippet(job: Job, *, adapter: bool) -> str:
    """Python that loads the result and answers one prompt."""
    base = [repr(job.spec.model.name_or_path)]
    if job.spec.model.revision:
        base.append(f"revision={job.spec.model.revision!r}")
    if job.spec.model.trust_remote_code:
        base.append("trust_remote_code=True")
    load = _ADAPTER.format(base=", ".join(base)) if adapter else _MODEL
    ask = _CHAT if job.chat else _TEXT
    return load + ask.format(prompt=repr(job.example_prompt or "Hello")) + _ANSWER


def _table(metrics: dict[str, float | None]) -> str:
    rows = [
        f"| {name} | {value:.6g} |" for name, value in sorted(metrics.items()) if value is not None
    ]
    return "\n".join(["| figure | value |", "| --- | --- |", *rows])


def _settings(job: Job) -> str:
    settings: dict[str, Any] = job.spec.model_dump(
        mode="json", include={"task", "model", "training", "peft"}, exclude_defaults=True
    )
    return str(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True))
