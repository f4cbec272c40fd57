"""What a result depends on besides its spec. Torch-free."""

from __future__ import annotations

import platform
import sys
from importlib import metadata

from ..run_folder import write_json
from ..spec import RunSpec
from .job import Job

_PACKAGES = (
    "torch",
    "transformers",
    "trl",
    "peft",
    "accelerate",
    "datasets",
    "tokenizers",
    "safetensors",
    "bitsandbytes",
    "numpy",
    "sentence-transformers",
    "scikit-learn",
    "lightgbm",
    "xgboost-cpu",
    "optuna",
    "deepspeed",
    "flash-attn",
)


def write_provenance(job: Job[RunSpec]) -> None:
    """Keep versions, seed and, once it is known, the data's fingerprint with the run."""
    if not job.reporter.main:
        return
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    write_json(
        job.run.provenance,
        {
            "python": sys.version.split()[0],
            "system": platform.platform(),
            "packages": versions,
            "seed": job.spec.seed,
            "data": {
                "path": job.spec.data.path,
                "fingerprint": job.fingerprint,
                "chat": job.chat,
            },
            "attempt": job.attempt.number,
            "resumed_from": job.resume_from.name if job.resume_from else None,
        },
    )
