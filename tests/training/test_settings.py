"""No setting of a spec is dead: each is read on the way to a training step, or by the agent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import luthier.trainers
from luthier.trainers import worker
from luthier.trainers.engine.launching import launch_config
from luthier.trainers.registry import find_task
from luthier.trainers.run_folder import AttemptFolder
from luthier.trainers.spec import LaunchSection, Section

# Read by the agent, before a worker exists or around it.
_AGENT = {
    "launch.host",
    "launch.share_device",
    "launch.retries",
    "launch.send_hub_token",
    "launch.memory_limit",
    "launch.stop_deadline",
}
# Their use is proved where it happens: hub data, uploads, sharding, memory that runs out.
_ELSEWHERE = {
    "launch.deepspeed_config",
    "launch.fsdp_config",
    "data.revision",
    "data.subset",
    "output.hub_model_id",
    "output.hub_private",
    "training.out_of_memory_retries",
}
# Together these runs come by every place that reads a setting.
_EVERYWHERE = [
    {
        "model.load_in_4bit": True,
        "model.device_map": "auto",
        "model.chat_template": "chatml",
        "evaluation.strategy": "steps",
        "evaluation.steps": 2,
        "evaluation.early_stopping_patience": 9,
        "data.weight_column": "weight",
        "data.system_prompt": "be brief",
        "output.merge_adapter": True,
    },
    {"peft.method": "prompt-tuning"},
]


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Every ``section.key`` that is read from now on, but for pydantic's own looks."""
    seen: set[str] = set()
    checking = []
    read, load = BaseModel.__getattribute__, worker.load_spec
    owners = {
        "ModelSection": "model",
        "PeftSection": "peft",
        "LaunchSection": "launch",
        "OutputSection": "output",
        "TextDataSection": "data",
        "TextEvaluationSection": "evaluation",
        "GenericTraining": "training",
        "SupervisedTraining": "training",
    }

    def note(self: Section, name: str) -> Any:
        owner = owners.get(type(self).__name__)
        if owner and not checking and name in type(self).model_fields:
            seen.add(f"{owner}.{name}")
        return read(self, name)

    def load_unseen(*args: Any) -> Any:
        # A spec that is read checks itself, which is no use of its settings.
        checking.append(True)
        try:
            return load(*args)
        finally:
            checking.pop()

    monkeypatch.setattr(worker, "load_spec", load_unseen)
    monkeypatch.setattr(Section, "__getattribute__", note)
    return seen


def _fields(task: str) -> set[str]:
    spec = find_task(task).spec
    names = set()
    for section, field in spec.model_fields.items():
        model = field.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            names |= {f"{section}.{name}" for name in model.model_fields}
    return names


@pytest.mark.parametrize("task", ["llm-sft", "llm-generic"])
def test_every_setting_is_read(workshop: Any, reads: set[str], task: str) -> None:
    rows = [{"prompt": f"say {n}", "completion": str(n), "weight": 1.0} for n in range(12)]
    path = workshop.data(rows)
    runs = [
        workshop.run(workshop.settings(task, **{"data.path": str(path), **changes}))
        for changes in _EVERYWHERE
    ]
    reads.clear()
    for run in runs:
        assert workshop.attempt(run).code == 0
    assert _fields(task) - reads - _AGENT - _ELSEWHERE == set()


def test_the_agent_reads_the_others() -> None:
    agent = Path(luthier.trainers.__file__).resolve().parent.parent / "agent"
    source = "\n".join(path.read_text(encoding="utf-8") for path in agent.rglob("*.py"))
    missing = {name for name in _AGENT if f".{name.partition('.')[2]}" not in source}
    assert missing == set()


def test_sharding_settings_reach_accelerate(tmp_path: Path) -> None:
    attempt = AttemptFolder(tmp_path)
    settings = {"fsdp_version": 2, "fsdp_offload_params": True}
    sharded = LaunchSection(strategy="fsdp", processes=2, fsdp_config=settings)
    config = launch_config(sharded, attempt)
    assert (config["distributed_type"], config["fsdp_config"]) == ("FSDP", settings)
    zero = {"zero_optimization": {"stage": 3}, "wall_clock_breakdown": True}
    config = launch_config(LaunchSection(strategy="deepspeed", deepspeed_config=zero), attempt)
    assert config["distributed_type"] == "DEEPSPEED"
    written = json.loads(Path(config["deepspeed_config"]["deepspeed_config_file"]).read_text())
    assert written["zero_optimization"] == {"stage": 3}
    assert written["wall_clock_breakdown"] is True
    assert written["train_micro_batch_size_per_gpu"] == "auto"
