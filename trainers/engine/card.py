"""README.md of a result: what it is, what it was made from, and how to load it. Torch-free."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ..run_folder import RunFolder
from ..spec import TextSpec

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
    folder: Path, run: RunFolder, spec: TextSpec, figures: Mapping[str, float | None]
) -> None:
    """Write README.md into the folder of a result.

    Args:
        folder: holds an adapter or a whole model.
        run: the run it came from, whose provenance and data report are there.
        spec: the run's spec.
        figures: what was measured of this very result.
    """
    adapter = (folder / "adapter_config.json").exists()
    trained = "every weight" if spec.peft.method == "none" else spec.peft.method
    merged = "" if adapter or spec.peft.method == "none" else ", merged into the model"
    # The hub refuses a card that names a local folder there.
    on_hub = not Path(spec.model.name_or_path).exists()
    header = {
        **({"base_model": spec.model.name_or_path} if on_hub else {}),
        "library_name": "peft" if adapter else "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["luthier", spec.task, spec.peft.method],
    }
    data = _read(run.provenance).get("data", {})
    settings = spec.model_dump(
        mode="json", include={"model", "training", "peft"}, exclude_defaults=True
    )
    parts = [
        f"---\n{yaml.safe_dump(header, sort_keys=False)}---",
        f"# {spec.name or run.run_id}",
        f"Trained with Luthier (task {spec.task}, {trained}{merged}) "
        f"from `{spec.model.name_or_path}`.",
        f"## Use\n\n```python\n{_snippet(run, spec, adapter=adapter)}```",
        f"## Figures\n\n{_table(figures)}",
        f"## Data\n\n`{spec.data.path}`, fingerprint `{data.get('fingerprint', '')}`",
        "## Settings\n\nWhat differs from Luthier's defaults:\n\n"
        f"```yaml\n{yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)}```",
    ]
    (folder / "README.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _snippet(run: RunFolder, spec: TextSpec, *, adapter: bool) -> str:
    base = [repr(spec.model.name_or_path)]
    if spec.model.revision:
        base.append(f"revision={spec.model.revision!r}")
    if spec.model.trust_remote_code:
        base.append("trust_remote_code=True")
    load = _ADAPTER.format(base=", ".join(base)) if adapter else _MODEL
    samples = _read(run.preflight).get("sample_prompts") or [{"prompt": "Hello"}]
    chat = _read(run.provenance).get("data", {}).get("chat", False)
    ask = (_CHAT if chat else _TEXT).format(prompt=json.dumps(samples[0]["prompt"]))
    return load + ask + _ANSWER


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
