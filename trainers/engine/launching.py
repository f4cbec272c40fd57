"""accelerate's launcher, driven by a configuration file that is kept with the attempt."""

from __future__ import annotations

import os
import traceback
from typing import Any

import yaml
from accelerate.commands import launch as accelerate_launch
from accelerate.utils import prepare_simple_launcher_cmd_env

from ..errors import TrainingError
from ..events import DoneEvent, read_events
from ..run_folder import AttemptFolder, RunFolder, write_json
from ..spec import GradientSpec, LaunchSection
from .checks import refuse_impossible
from .job import Reporter

_WORKER = "luthier.trainers.worker"
# transformers puts the spec's own values in the place of "auto".
_DEEPSPEED = {
    "train_batch_size": "auto",
    "train_micro_batch_size_per_gpu": "auto",
    "gradient_accumulation_steps": "auto",
    "gradient_clipping": "auto",
    "bf16": {"enabled": "auto"},
    "fp16": {"enabled": "auto"},
    "zero_optimization": {"stage": 2},
}


def needs_processes(launch: LaunchSection) -> bool:
    """Whether accelerate has to start processes; sharding goes through it even for one."""
    return launch.processes > 1 or launch.strategy in ("fsdp", "deepspeed")


def enter_process(spec: GradientSpec, attempt: AttemptFolder) -> None:
    """Make this process what ``accelerate launch`` would have started."""
    arguments = _arguments(spec, attempt, [])
    arguments, _, _ = accelerate_launch._validate_launch_command(arguments)
    _, environment = prepare_simple_launcher_cmd_env(arguments)
    os.environ.update(environment)


def start_processes(
    spec: GradientSpec, run: RunFolder, attempt: AttemptFolder, reporter: Reporter
) -> None:
    """Start the processes and wait for them; what became of them is in the events.

    Raises:
        SpecError: they could not do what the spec says.
        TrainingError: they ended without a word.
    """
    refuse_impossible(spec, os.environ.get("LUTHIER_DEVICE", ""))
    before = len(read_events(attempt.events))
    script = [str(run.path), str(attempt.number)]
    try:
        accelerate_launch.launch_command(_arguments(spec, attempt, script))
    except Exception as error:
        traceback.print_exc()
        spoken = any(isinstance(e, DoneEvent) for e in read_events(attempt.events)[before:])
        if not (spoken or reporter.failed_already() or attempt.restart_request.exists()):
            raise TrainingError(
                f"The {spec.launch.processes} processes of the run could not be started or were "
                "killed.",
                hint="The log holds what the launcher said.",
            ) from error


def _arguments(spec: GradientSpec, attempt: AttemptFolder, script: list[str]) -> Any:
    config = attempt.path / "accelerate.yaml"
    config.write_text(yaml.safe_dump(launch_config(spec.launch, attempt)), encoding="utf-8")
    parser = accelerate_launch.launch_command_parser()
    threads = os.environ["OMP_NUM_THREADS"]
    return parser.parse_args(
        [
            *("--config_file", str(config), "--num_cpu_threads_per_process", threads),
            *("--num_processes", str(spec.launch.processes), "--main_process_port", "0"),
            *("--module", _WORKER, *script),
        ]
    )


def launch_config(launch: LaunchSection, attempt: AttemptFolder) -> dict[str, Any]:
    """The accelerate configuration for a launch section.

    Precision is left to the trainer's arguments, which decide after looking at the device.
    """
    config: dict[str, Any] = {
        "compute_environment": "LOCAL_MACHINE",
        # MULTI_CPU and --cpu would both start one process and say nothing.
        "distributed_type": "MULTI_GPU" if launch.processes > 1 else "NO",
        "num_processes": launch.processes,
        "num_machines": 1,
        "machine_rank": 0,
        "mixed_precision": "no",
        "use_cpu": os.environ.get("ACCELERATE_USE_CPU") == "true",
        "debug": False,
    }
    if launch.strategy == "fsdp":
        config |= {"distributed_type": "FSDP", "fsdp_config": launch.fsdp_config}
    elif launch.strategy == "deepspeed":
        settings = attempt.path / "deepspeed.json"
        write_json(settings, _DEEPSPEED | launch.deepspeed_config)
        plugin = {"deepspeed_config_file": str(settings), "zero3_init_flag": True}
        config |= {"distributed_type": "DEEPSPEED", "deepspeed_config": plugin}
    return config
