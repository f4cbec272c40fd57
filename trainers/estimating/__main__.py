"""``python -m luthier.trainers.estimating SPEC``: the exact estimate of a spec's run."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

from ..engine.environment import defer_collection, resume_collection
from ..errors import LuthierError
from ..spec import GradientSpec
from ..spec.file import load_spec
from .report import ExactEstimate, Refusal

_GIB = 1 << 30


def main(arguments: Sequence[str] | None = None) -> int:
    """Estimate and say so; 0 when there is an estimate, 2 when it refuses, 1 when it breaks."""
    given = _parse(arguments)
    try:
        # Whatever the libraries print is not the result.
        with redirect_stdout(sys.stderr):
            found = _estimate(given)
    except LuthierError as error:
        return _refuse(given, Refusal(error=error.message, hint=error.hint), 2)
    except Exception as error:
        traceback.print_exc()
        text = f"The step cannot be rehearsed ({type(error).__name__}: {str(error)[:300]})."
        return _refuse(given, Refusal(error=text, hint="The quick estimate works without it."), 1)
    print(found.model_dump_json() if given.json else describe(found), flush=True)
    return 0


def _estimate(given: argparse.Namespace) -> ExactEstimate:
    spec = load_spec(given.spec, given.set)
    if not isinstance(spec, GradientSpec):
        raise LuthierError(f"Task {spec.task} trains no model by steps; nothing to estimate.")
    _prepare_environment(spec)
    from .estimate import exact_estimate  # loads torch

    resume_collection()
    return exact_estimate(
        spec,
        device=given.device,
        precision=given.precision,
        rows=given.rows,
        length=given.length,
    )


def _prepare_environment(spec: GradientSpec) -> None:
    """Set what the libraries read when they are loaded. No accelerator is touched."""
    environment = os.environ
    environment |= {
        "ACCELERATE_USE_CPU": "true",
        "LUTHIER_DEVICE": "cpu",
        "CUDA_VISIBLE_DEVICES": "",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "ARROW_DEFAULT_MEMORY_POOL": "system",
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    }
    if spec.launch.offline:
        environment |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}


def _refuse(given: argparse.Namespace, refusal: Refusal, code: int) -> int:
    if given.json:
        print(refusal.model_dump_json(), flush=True)
    else:
        print(f"{refusal.error} {refusal.hint}".strip(), file=sys.stderr)
    return code


def describe(found: ExactEstimate) -> str:
    """The estimate as a few lines of text."""
    at = f"{found.at.phase} pass" if found.at.phase != "optimizer" else "optimizer step"
    where = f"{at}, {found.at.operation}"
    lines = [
        f"{found.model}, {found.method}, {found.batch}, {found.precision}",
        *(f"  {name:<12}{size / _GIB:8.2f} GiB" for name, size in found.parts.items() if size),
        f"  {'all':<12}{found.peak / _GIB:8.2f} GiB at {where} in {found.at.module or 'the loss'}",
        *found.notes,
    ]
    return "\n".join(lines)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m luthier.trainers.estimating",
        description="Count the memory of one training step, without a GPU and without weights.",
    )
    parser.add_argument("spec", type=Path, metavar="SPEC")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--device", choices=("cuda", "cpu", "qaic"), default="cuda")
    parser.add_argument("--precision", choices=("no", "fp16", "bf16"))
    parser.add_argument("--rows", type=_count, help="rows of the batch")
    parser.add_argument("--length", type=_count, help="tokens of each row")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    return parser.parse_args(arguments)


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


if __name__ == "__main__":
    defer_collection()
    sys.exit(main())
