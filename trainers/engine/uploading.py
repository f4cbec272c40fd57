"""The upload of a result to the hub. Torch-free."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import TrainingError
from ..run_folder import RunFolder
from ..spec import RunSpec


def push(run: RunFolder, folder: Path, spec: RunSpec) -> None:
    """Upload a result. The token comes from the environment and is never written down.

    Raises:
        TrainingError: there is no token.
    """
    from huggingface_hub import HfApi

    token, name = os.environ.get("HF_TOKEN"), spec.output.hub_model_id
    if not token or name is None:
        raise TrainingError(
            "output.push_to_hub needs a token, and HF_TOKEN is not set.",
            hint=f"The result is kept in {folder}; set HF_TOKEN where the agent runs.",
        )
    api = HfApi(token=token)
    api.create_repo(name, private=spec.output.hub_private, exist_ok=True)
    api.upload_folder(repo_id=name, folder_path=folder, commit_message=f"Luthier run {run.run_id}")
