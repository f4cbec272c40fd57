"""Memory of real runs on a GPU beside both estimates; writes docs/memory-measured.md.

    make bench-memory                                   (on a machine with a CUDA GPU)
    make bench-memory ARGS="--device cpu --rows 2"      (tiny runs: shows that all of it works)
    make bench-memory ARGS="--models Qwen/Qwen3-4B"     (any language models of the model list)

Each row is an attempt of a run as the agent starts it, in a process of its own. Models are made
from the configurations of the offline model list with random weights, so nothing is downloaded;
memory does not depend on what the weights are. The worker measures itself: `measured` is the most
that torch's allocator had reserved plus the driver's context, `tensors` the most that tensors took.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from luthier.presets.catalog import find_entry
from luthier.presets.memory import DeviceFacts, Lengths, quick_estimate, read_shape
from luthier.trainers.errors import LuthierError
from luthier.trainers.estimating.report import command, read_reply
from luthier.trainers.events import ErrorEvent, MemoryEvent, read_events
from luthier.trainers.run_folder import RunFolder
from luthier.trainers.spec.file import build_spec

GIB = 1 << 30
_PAGE = Path(__file__).parents[2] / "docs" / "memory-measured.md"
_MODELS = (
    "HuggingFaceTB/SmolLM2-135M",
    "HuggingFaceTB/SmolLM2-360M",
    "Qwen/Qwen3-0.6B",
    "meta-llama/Llama-3.2-1B",
    "google/gemma-2-2b",
    "meta-llama/Llama-3.2-3B",
    "microsoft/Phi-3-mini-4k-instruct",
    "mistralai/Mistral-7B-v0.3",
    "meta-llama/Llama-3.1-8B",
)
_SMALL, _LARGE = 500_000_000, 5_000_000_000
_TINY: dict[str, Any] = {
    "model_type": "llama",
    "vocab_size": 512,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 1024,
    "tie_word_embeddings": True,
}
_METHODS: dict[str, dict[str, Any]] = {
    "full": {"peft": {"method": "none"}, "model": {"dtype": "bfloat16"}},
    "LoRA": {"model": {"dtype": "bfloat16"}},
    "QLoRA": {"model": {"load_in_4bit": True, "dtype": "bfloat16"}},
}


@dataclass(frozen=True)
class Case:
    """One run."""

    model: str
    method: str
    length: int
    rows: int
    checkpointing: bool


@dataclass(frozen=True)
class Row:
    """What came of it, in bytes; None where there is nothing."""

    case: Case
    measured: int | None
    tensors: int | None
    quick: int | None
    exact: int | None
    seconds: float | None
    remark: str = ""


def cases(models: Sequence[str]) -> Iterator[Case]:
    """The models in their order, each in several ways; small ones with their activations kept."""
    for model in models:
        size = find_entry(model).parameters  # type: ignore[union-attr]
        small = size < _SMALL
        for method in _METHODS:
            if method == "full" and size > _LARGE:
                continue
            for length in (512, 2048) if small else (1024, 4096):
                yield Case(model, method, length, 4 if small else 2, checkpointing=not small)


def configuration(model: str) -> dict[str, Any]:
    """The model's configuration in the offline model list.

    Raises:
        SystemExit: it is not there.
    """
    entry = find_entry(model)
    if entry is None or "llm-sft" not in entry.tasks:
        raise SystemExit(f"{model} is no language model of the list; see: luthier models")
    return dict(entry.config)


def build_model(folder: Path, values: dict[str, Any]) -> None:
    """A model of random weights in bfloat16, with a tokenizer of one letter a token."""
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import BPE
    from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

    tokens = {"bos_token_id": None, "eos_token_id": 0, "pad_token_id": 0}
    config = AutoConfig.for_model(**{**values, **tokens, "dtype": "bfloat16"})
    AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).save_pretrained(folder)
    letters = {"<|end|>": 0, "a": 1, " ": 2}
    tokenizer = Tokenizer(BPE(letters, merges=[], unk_token="a"))
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<|end|>", eos_token="<|end|>", unk_token="a"
    ).save_pretrained(folder)


def measure(case: Case, model: Path, work: Path, device: str) -> Row:
    """Run it and both estimates."""
    run = RunFolder(work / "run")
    shutil.rmtree(run.path, ignore_errors=True)
    run.path.mkdir()
    data = work / "rows.jsonl"
    # All of it is learnt, and every row is as long as a row may be.
    text = "a" * (case.length + 8)
    data.write_text((json.dumps({"text": text}) + "\n") * (3 * case.rows), encoding="utf-8")
    settings = _settings(case, model, data, device)
    run.spec.write_text(yaml.safe_dump(settings), encoding="utf-8")
    environment = {**os.environ, "LUTHIER_DEVICE": device, "HF_HUB_OFFLINE": "1"}
    worker = [sys.executable, "-m", "luthier.trainers.launch", str(run.path), "1"]
    ended = subprocess.run(worker, env=environment, capture_output=True, check=False)
    events = read_events(run.attempt(1).events)
    found = [event for event in events if isinstance(event, MemoryEvent) and event.source == "run"]
    exact, remark = _exact(run.spec, device, case)
    quick = _quick(settings, model, device, case)
    if not found:
        said = [event.message for event in events if isinstance(event, ErrorEvent)]
        warned = said or [ended.stderr.decode(errors="replace")[-200:].strip()]
        return Row(case, None, None, quick, exact, None, warned[-1].splitlines()[0])
    last = found[-1]
    return Row(case, last.peak, last.allocated, quick, exact, last.seconds, remark)


def _settings(case: Case, model: Path, data: Path, device: str) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "task": "llm-sft",
        "model": {"name_or_path": str(model)},
        "data": {"path": str(data), "validation_fraction": 0, "format": "text"},
        "training": {
            "max_steps": 3,
            "max_length": case.length,
            "per_device_train_batch_size": case.rows,
            "gradient_checkpointing": case.checkpointing,
            "save_strategy": "no",
            "out_of_memory_retries": 0,
        },
        "evaluation": {"strategy": "no"},
        "launch": {"offline": True, **({"devices": "cpu"} if device == "cpu" else {})},
    }
    for section, values in _METHODS[case.method].items():
        settings.setdefault(section, {}).update(values)
    return settings


def _exact(spec: Path, device: str, case: Case) -> tuple[int | None, str]:
    asked = command(spec, device="cpu" if device == "cpu" else "cuda", length=case.length)
    done = subprocess.run(asked, capture_output=True, check=False)
    try:
        return read_reply(done.stdout).peak, ""
    except LuthierError as error:
        return None, str(error)


def _quick(settings: dict[str, Any], model: Path, device: str, case: Case) -> int | None:
    spec: Any = build_spec(settings)
    facts = DeviceFacts(kind="cpu" if device == "cpu" else "cuda")
    lengths = Lengths(rows=case.rows, tokens=case.rows * case.length, longest=case.length)
    return quick_estimate(spec, read_shape(model), facts, lengths).total


def page(rows: list[Row], machine: str) -> str:
    """The table as a page."""
    lines = [
        "# Memory, measured",
        "",
        f"Real runs on {machine}, by `make bench-memory`; sizes in GiB. `exact` counts tensors and "
        "stands beside `tensors`, the most that torch's tensors took; `quick` is all that the "
        "process takes on the device and stands beside `measured`.",
        "",
        "| model | method | rows x tokens | checkpointing | measured | quick | error | tensors "
        "| exact | error | s/step | |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        case = row.case
        cells = [
            case.model,
            case.method,
            f"{case.rows} x {case.length}",
            "yes" if case.checkpointing else "no",
            _size(row.measured),
            _size(row.quick),
            _error(row.quick, row.measured),
            _size(row.tensors),
            _size(row.exact),
            _error(row.exact, row.tensors),
            "" if row.seconds is None else f"{row.seconds:.2f}",
            row.remark.replace("|", "/"),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _size(size: int | None) -> str:
    return "" if size is None else f"{size / GIB:.2f}"


def _error(told: int | None, truth: int | None) -> str:
    return "" if not told or not truth else f"{100 * (told / truth - 1):+.1f}%"


def _machine(device: str) -> str:
    import torch

    if device == "cpu":
        return "the CPU"
    free, total = torch.cuda.mem_get_info()
    if total - free > 2 * GIB:
        print("Others use this GPU now; what they take is not in the figures.", file=sys.stderr)
    return f"{torch.cuda.get_device_name()}, torch {torch.__version__}"


def main() -> int:
    """Measure everything; nothing when there is no GPU."""
    given = _given()
    import torch

    if given.device == "cuda" and not torch.cuda.is_available():
        print("Skipped: there is no CUDA GPU here; --device cpu --rows 2 shows that it works.")
        return 0
    if given.device == "cpu":
        known = {"tiny": _TINY}
        chosen = [Case("tiny", method, 64, 2, checkpointing=False) for method in ("full", "LoRA")]
    else:
        known = {model: configuration(model) for model in given.models}
        chosen = list(cases(given.models))
    output = given.output or (_PAGE if given.device == "cuda" else None)
    rows: list[Row] = []
    machine = _machine(given.device)
    with tempfile.TemporaryDirectory() as place:
        for case in chosen[: given.rows]:
            model = Path(place) / case.model
            if not model.exists():
                # One model at a time: the larger ones fill a disk.
                for other in known:
                    shutil.rmtree(Path(place) / other, ignore_errors=True)
                build_model(model, known[case.model])
            rows.append(measure(case, model, Path(place), given.device))
            print(page(rows[-1:], machine).splitlines()[-1], flush=True)
            if output is not None:
                output.write_text(page(rows, machine), encoding="utf-8")
    return 0


def _given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--models", nargs="+", default=_MODELS, help="of the model list")
    parser.add_argument("--rows", type=int, help="of the table; silent: all of them")
    parser.add_argument("--output", type=Path, help=f"the page; silent: {_PAGE}, of a CPU none")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
