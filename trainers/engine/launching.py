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
from ..run_folder import AttemptFolder, RunFolder
from ..spec import LaunchSection, TextSpec
from .job import Reporter

_WORKER = "luthier.trainers.worker"


def enter_process(spec: TextSpec, attempt: AttemptFolder) -> None:
    """Make this process what ``accelerate launch`` would have started."""
    arguments = _arguments(spec, attempt, [])
    arguments, _, _ = accelerate_launch._validate_launch_command(arguments)
    _, environment = prepare_simple_launcher_cmd_env(arguments)
    os.environ.update(environment)


def start_processes(
    spec: TextSpec, run: RunFolder, attempt: AttemptFolder, reporter: Reporter
) -> None:
    """Start the processes and wait for them; what became of them is in the events.

    Raises:
        TrainingError: they ended without a word.
    """
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


def _arguments(spec: TextSpec, attempt: AttemptFolder, script: list[str]) -> Any:
    config = attempt.path / "accelerate.yaml"
    config.write_text(yaml.safe_dump(launch_config(spec.launch)), encoding="utf-8")
    parser = accelerate_launch.launch_command_parser()
    threads = os.environ["OMP_NUM_THREADS"]
    return parser.parse_args(
        [
            *("--config_file", str(config), "--num_cpu_threads_per_process", threads),
            *("--num_processes", str(spec.launch.processes), "--main_process_port", "0"),
            *("--module", _WORKER, *script),
        ]
    )


def launch_config(launch: LaunchSection) -> dict[str, Any]:
    """The accelerate configuration for a launch section.

    Precision is left to the trainer's arguments, which decide after looking at the device.
    """
    kinds = {"fsdp": "FSDP", "deepspeed": "DEEPSPEED"}
    # MULTI_CPU and --cpu would both start one process and say nothing.
    several = "MULTI_GPU" if launch.processes > 1 else "NO"
    config: dict[str, Any] = {
        "compute_environment": "LOCAL_MACHINE",
        "distributed_type": kinds.get(launch.strategy, several),
        "num_processes": launch.processes,
        "num_machines": 1,
        "machine_rank": 0,
        "mixed_precision": "no",
        "use_cpu": os.environ.get("ACCELERATE_USE_CPU") == "true",
        "debug": False,
    }
    if launch.fsdp_config:
        config["fsdp_config"] = launch.fsdp_config
    if launch.deepspeed_config:
        config["deepspeed_config"] = launch.deepspeed_config
    return config
