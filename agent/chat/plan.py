"""What a chat needs: which model to load, how, and which adapters onto it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from luthier.trainers.registry import find_task
from luthier.trainers.run_folder import RunFolder
from luthier.trainers.spec import ModelSection

from ..api.errors import ApiError
from ..models import RunDetail

BASE = "base"
LOCAL = "local"
# How these adapters begin takes something out of the base weights, so only they fit what is left.
_CHANGING_STARTS = ("pissa", "olora")


@dataclass(frozen=True)
class Adapter:
    """A run's adapter. Its name is the run's id; ``version`` changes when the run goes on."""

    name: str
    path: Path
    kind: str
    version: int
    system_prompt: str = ""


@dataclass(frozen=True)
class Plan:
    """One base model and what it is loaded with.

    Attributes:
        model: what to load and how.
        own_voice: the name under which the model answers without an adapter: ``base``, or the
            id of the run that made the model.
        version: changes when a run that made the model goes on.
        adapters: what to load onto it, the one that was asked for last at the end.
        host: where the worker runs.
        send_token: whether it may have the person's hub token there.
        devices: where to load it at best, such as ``("cpu",)`` or ``("cuda:0",)``; empty: a GPU
            where there is one.
        offline: open no connection.
        exclusive: the id of the run whose adapter changes the base weights; empty for others.
        questions: prompts from the runs' own data.
        system_prompt: what the model under its own voice was trained with.
    """

    model: ModelSection
    own_voice: str = BASE
    version: int = 0
    adapters: tuple[Adapter, ...] = ()
    host: str = LOCAL
    send_token: bool = False
    devices: tuple[str, ...] = ()
    offline: bool = False
    exclusive: str = ""
    questions: tuple[str, ...] = ()
    system_prompt: str = ""

    @property
    def voices(self) -> list[str]:
        """Who can answer; not the base model where an adapter has changed its weights."""
        own = [] if self.exclusive else [self.own_voice]
        return own + [adapter.name for adapter in self.adapters]

    @property
    def title(self) -> str:
        """Who answers by default, in a word."""
        voice = self.adapters[-1].name if self.adapters else self.own_voice
        path = self.model.name_or_path
        return voice if voice != BASE else Path(path).name if path.startswith("/") else path

    @property
    def device_kind(self) -> str:
        """Such as cuda; empty where the plan names no devices."""
        return self.devices[0].partition(":")[0] if self.devices else ""

    def fits(self, other: Plan) -> bool:
        """Whether one worker can serve both."""
        adapters = {*self.adapters, *other.adapters}
        return (
            (self.model, self.own_voice, self.version, self.exclusive)
            == (other.model, other.own_voice, other.version, other.exclusive)
            and self.host == other.host
            and (not self.devices or not other.devices or self.device_kind == other.device_kind)
            # peft takes one kind of adapter on a model, and a name stands for one adapter.
            and len({adapter.kind for adapter in adapters}) <= 1
            and len({adapter.name for adapter in adapters}) == len(adapters)
        )

    def joined(self, other: Plan) -> Plan:
        """This plan with what the other has too; only for plans that fit."""
        before = tuple(adapter for adapter in self.adapters if adapter not in other.adapters)
        return replace(
            self,
            adapters=before + other.adapters,
            devices=self.devices or other.devices,
            questions=tuple(dict.fromkeys(other.questions + self.questions)),
        )


def plan_model(name_or_path: str, *, offline: bool = False) -> Plan:
    """A chat with a model alone, loaded as its repository says."""
    return Plan(_section({"name_or_path": name_or_path}, "model"), offline=offline)


def plan_runs(runs: Sequence[RunDetail], *, offline: bool = False) -> Plan:
    """A chat with the results of runs. Reads small files of their folders.

    Raises:
        ApiError: a run has no result that can answer, or the runs cannot share one worker.
    """
    first, *others = [_plan_run(run, offline) for run in runs]
    for run, plan in zip(runs[1:], others, strict=True):
        if not first.fits(plan):
            raise ApiError(
                422,
                f"Runs {runs[0].id} and {run.id} cannot share one loaded model: their base "
                "models, load settings or kinds of adapter differ; open a chat for each.",
            )
        first = first.joined(plan)
    return first


def plan_base(run: RunDetail, *, offline: bool = False) -> Plan:
    """A chat with the model that a run started from, loaded as the run loaded it."""
    return Plan(_run_section(run), **_placement(run, offline))


def _plan_run(run: RunDetail, offline: bool) -> Plan:
    if not find_task(run.task).chats:
        raise ApiError(422, f"Run {run.id} is of task {run.task}, whose results do not chat.")
    if not run.state.finished:
        raise ApiError(409, f"Run {run.id} is {run.state.value}; chat with it once it has ended.")
    folder = RunFolder(Path(run.folder))
    section = _run_section(run)
    common = {**_placement(run, offline), "questions": _questions(folder.preflight)}
    system_prompt = str(run.spec.get("data", {}).get("system_prompt") or "")
    settings = _read_json(folder.adapter / "adapter_config.json")
    if settings is not None:
        start = settings.get("init_lora_weights")
        changes = isinstance(start, str) and start.startswith(_CHANGING_STARTS)
        adapter = Adapter(
            name=run.id,
            path=folder.adapter,
            kind=str(settings.get("peft_type", "")),
            version=_version(folder.adapter / "adapter_config.json"),
            system_prompt=system_prompt,
        )
        return Plan(section, adapters=(adapter,), exclusive=run.id if changes else "", **common)
    if (folder.model / "config.json").exists():
        # The weights are saved whole, so neither the hub's revision nor quantisation apply.
        whole = section.model_copy(
            update={
                "name_or_path": str(folder.model),
                "revision": None,
                "tokenizer": None,
                "load_in_4bit": False,
                "load_in_8bit": False,
            }
        )
        version = _version(folder.model / "config.json")
        return Plan(whole, own_voice=run.id, version=version, system_prompt=system_prompt, **common)
    raise ApiError(
        409, f"Run {run.id} has no adapter or model to chat with (it is {run.state.value})."
    )


def _run_section(run: RunDetail) -> ModelSection:
    return _section(run.spec.get("model", {}), f"run {run.id}")


def _placement(run: RunDetail, offline: bool) -> dict[str, Any]:
    """Where the run's last attempt was, and whether connections may be opened."""
    launch = run.spec.get("launch", {})
    return {
        "host": run.host,
        "send_token": bool(launch.get("send_hub_token")),
        "devices": tuple(run.attempts[-1].devices) if run.attempts else (),
        "offline": offline or bool(launch.get("offline")),
    }


def _section(values: dict[str, Any], where: str) -> ModelSection:
    """The model section without what only training needs, so that equal loads compare equal."""
    try:
        section = ModelSection.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise ApiError(422, f"{where}: {key}: {first['msg']}.") from error
    return section.model_copy(update={"chat_template": None, "use_cache": False})


def _questions(preflight: Path) -> tuple[str, ...]:
    prompts = (_read_json(preflight) or {}).get("sample_prompts", [])
    return tuple(str(prompt["prompt"]) for prompt in prompts if prompt.get("prompt"))


def _version(path: Path) -> int:
    return path.stat().st_mtime_ns


def _read_json(path: Path) -> dict[str, Any] | None:
    """The object in that file; None when there is no such file."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ApiError(409, f"{path}: cannot be read: {error}.") from error
    if not isinstance(found, dict):
        raise ApiError(409, f"{path}: is not a JSON object.")
    return found
