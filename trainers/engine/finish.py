"""After training: the result in its folder, its figures, its card, and the hub."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..errors import TrainingError
from ..events import finite
from ..run_folder import RunFolder, write_json
from ..spec import GradientSpec
from .card import write_card
from .folders import replace_folder
from .job import Job, Result
from .merge import merge_adapter
from .trainer import RunTrainer


def finish(job: Job, trainer: RunTrainer) -> Result:
    """Save what was trained; every process must call this together."""
    job.reporter.phase("saving")
    run, spec = job.run, job.spec
    target = run.model if spec.peft.method == "none" else run.adapter
    staged = target.with_name(f".{target.name}.new")
    trainer.save_model(str(staged))
    result = Result(step=trainer.state.global_step, metrics=final_metrics(trainer))
    result.artifact = str(target.relative_to(run.path))
    if not job.reporter.main:
        return result
    write_json(run.artifacts / "metrics.json", result.metrics)
    write_card(staged, job, result.metrics)
    replace_folder(staged, target)
    if spec.output.merge_adapter:
        job.reporter.phase("merging")
        merge_adapter(target, run.model, spec)
        write_card(run.model, job, result.metrics)
    if spec.output.push_to_hub:
        job.reporter.phase("uploading", spec.output.hub_model_id or "")
        push(run, target, spec)
    return result


def final_metrics(trainer: Any) -> dict[str, float | None]:
    """The figures of the model that is kept, which may be that of an earlier, best step."""
    state = trainer.state
    metrics: dict[str, Any] = {}
    for entry in state.log_history:
        metrics |= {name: entry[name] for name in ("train_loss", "num_tokens") if name in entry}
    evaluations = [entry for entry in state.log_history if "eval_loss" in entry]
    if trainer.args.load_best_model_at_end and state.best_global_step:
        evaluations = [e for e in evaluations if e["step"] == state.best_global_step]
    if evaluations:
        metrics |= {k: v for k, v in evaluations[-1].items() if k.startswith("eval_")}
    return finite(metrics)


def push(run: RunFolder, folder: Path, spec: GradientSpec) -> None:
    """Upload a result. The token comes from the environment and is never written down.

    Raises:
        TrainingError: there is no token.
    """
    from huggingface_hub import HfApi

    token = os.environ.get("HF_TOKEN")
    if not token:
        raise TrainingError(
            "output.push_to_hub needs a token, and HF_TOKEN is not set.",
            hint=f"The result is kept in {folder}; set HF_TOKEN where the agent runs.",
        )
    name = spec.output.hub_model_id
    if name is None:
        raise TrainingError("output.push_to_hub needs output.hub_model_id.")
    api = HfApi(token=token)
    api.create_repo(name, private=spec.output.hub_private, exist_ok=True)
    api.upload_folder(
        repo_id=name,
        folder_path=folder,
        commit_message=f"Luthier run {run.run_id}",
    )
