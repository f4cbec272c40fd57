"""The quick estimate beside measured memory: published figures of GPUs, then real runs here.

The runs train small Llamas of random weights in workers of their own on the CPU; measured is the
largest resident memory of the worker's process as the kernel counted it.

    python tests/benchmarks/bench_memory.py [--cases 8]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import memory_runs
import published

from luthier.presets.memory import GIB, DeviceFacts, Workload, estimate, model_shape


def main() -> None:
    """Print both tables and the time that an estimate takes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=len(memory_runs.CASES))
    chosen = parser.parse_args()
    _published()
    _speed()
    _runs(chosen.cases)


def _published() -> None:
    print(f"{'torchtune':38} {'measured':>9} {'estimate':>9} {'error':>7}  (GiB, no context)")
    for row in published.ROWS:
        ours = published.estimated(row)
        print(
            f"{row.model + ' ' + row.what:38} {row.gib:9.1f} {ours:9.1f} {ours / row.gib - 1:+7.1%}"
        )
    for what, gib, why in published.LEFT_OUT:
        print(f"{what:38} {gib:9.1f} {'-':>9}          {why}")


def _speed() -> None:
    began = time.perf_counter()
    shape = model_shape("meta-llama/Llama-3.1-8B")
    read = time.perf_counter() - began
    began, device = time.perf_counter(), DeviceFacts()
    for _ in range(1000):
        estimate(Workload(), shape, device)
    each = time.perf_counter() - began
    print(f"\nshape from the model list {read * 1000:.1f} ms, an estimate {each:.3f} ms")


def _runs(cases: int) -> None:
    load = os.getloadavg()[0]
    print(f"\nreal runs on this CPU (MiB; load {load:.1f})")
    with tempfile.TemporaryDirectory() as place:
        for number, case in enumerate(memory_runs.CASES[:cases]):
            model, folder = Path(place) / case.size.name, Path(place) / f"run-{number}"
            folder.mkdir()
            if not model.exists():
                memory_runs.build_model(model, case.size)
            outcome = memory_runs.run(case, model, folder)
            found, scale = outcome.estimate, GIB / 1024
            print(
                f"{case!s:45} measured {outcome.measured / scale:6.0f}  "
                f"estimate {found.total / scale:6.0f} "
                f"({found.low / scale:.0f} to {found.high / scale:.0f})  {outcome.error:+.1%}",
                flush=True,
            )


if __name__ == "__main__":
    main()
