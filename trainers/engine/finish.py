"""After training: the result in its folder, its figures, its card, and the hub."""

from __future__ import annotations

import shutil
from pathlib import Path

from ..run_folder import write_json
from .card import write_card
from .figures import figures_of
from .folders import replace_folder, staging
from .job import Job, Result
from .merge import merge_adapter
from .trainer import RunTrainer
from .uploading import push


def finish(job: Job, trainer: RunTrainer) -> Result:
    """Save what was trained; every process must call this together."""
    job.reporter.phase("saving")
    run, spec = job.run, job.spec
    target = run.model if spec.peft.method == "none" else run.adapter
    staged = staging(target)
    if job.reporter.main:
        shutil.rmtree(staged, ignore_errors=True)
    trainer.save_model(str(staged))
    state = trainer.state
    best = state.best_global_step if trainer.args.load_best_model_at_end else None
    figures = figures_of(state.log_history, best)
    if job.reporter.main:
        write_json(run.artifacts / "metrics.json", figures)
        write_card(staged, run, spec, figures)
        replace_folder(staged, target)
        _extras(job, target, figures)
    return Result(state.global_step, artifact=str(target.relative_to(run.path)), metrics=figures)


def _extras(job: Job, target: Path, figures: dict[str, float | None]) -> None:
    run, spec = job.run, job.spec
    if spec.output.merge_adapter:
        job.reporter.phase("merging")
        merge_adapter(target, run.model, spec)
        write_card(run.model, run, spec, figures)
    if spec.output.push_to_hub:
        job.reporter.phase("uploading", spec.output.hub_model_id or "")
        push(run, target, spec)
