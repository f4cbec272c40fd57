"""What an AutoTrain Advanced configuration says, as settings of ours."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from luthier.trainers.errors import LuthierError
from luthier.trainers.registry import Task, find_task
from luthier.trainers.spec.declarations import section_model

_NO_WORDS = {"none", "null", ""}
_PRECISIONS = {"fp16": "fp16", "bf16": "bf16"}
_QUANTISATION = {"int4": "model.load_in_4bit", "int8": "model.load_in_8bit"}

# AutoTrain's parameter -> our settings; the first that the task has is meant.
PARAMETERS: dict[str, tuple[str, ...]] = {
    "lr": ("training.learning_rate",),
    "epochs": ("training.num_train_epochs",),
    "batch_size": ("training.per_device_train_batch_size",),
    "gradient_accumulation": ("training.gradient_accumulation_steps",),
    "optimizer": ("training.optim",),
    "scheduler": ("training.lr_scheduler_type",),
    "warmup_ratio": ("training.warmup_steps",),
    "weight_decay": ("training.weight_decay",),
    "max_grad_norm": ("training.max_grad_norm",),
    "seed": ("training.seed",),
    "logging_steps": ("training.logging_steps",),
    "eval_strategy": ("evaluation.strategy",),
    "save_total_limit": ("training.save_total_limit",),
    "early_stopping_patience": ("evaluation.early_stopping_patience",),
    "early_stopping_threshold": ("evaluation.early_stopping_threshold",),
    "block_size": ("training.block_size", "training.max_length"),
    "max_seq_length": ("training.max_length",),
    "max_target_length": ("training.max_target_length",),
    "max_doc_stride": ("training.doc_stride",),
    "max_prompt_length": ("training.max_prompt_length",),
    "max_completion_length": ("training.max_completion_length",),
    "add_eos_token": ("training.add_eos_token",),
    "dpo_beta": ("training.beta",),
    "model_ref": ("training.ref_model",),
    "image_square_size": ("training.image_size",),
    "target_modules": ("peft.target_modules",),
    "lora_r": ("peft.r",),
    "lora_alpha": ("peft.lora_alpha",),
    "lora_dropout": ("peft.lora_dropout",),
    "merge_adapter": ("output.merge_adapter",),
    "num_trials": ("training.num_trials",),
    "time_limit": ("training.time_limit",),
    "categorical_imputer": ("training.categorical_imputer",),
    "numerical_imputer": ("training.numerical_imputer",),
    "numeric_scaler": ("training.numeric_scaler",),
    "categorical_columns": ("data.categorical_columns",),
    "numerical_columns": ("data.numerical_columns",),
}
# AutoTrain's parameter -> why it needs no setting here.
DROPPED: dict[str, str] = {
    "auto_find_batch_size": "a batch that does not fit is halved anyway, three times at most",
    "model_max_length": "training.max_length alone says how long a row may be",
    "padding": "batches are padded on the side that the model needs",
    "token": "the token of the hub comes from HF_TOKEN and stands in no file",
    "unsloth": "there is one trainer",
    "username": "it is part of output.hub_model_id",
}
# AutoTrain's parameter -> what it becomes is decided by its value.
DECIDED = (
    "chat_template",
    "disable_gradient_checkpointing",
    "distributed_backend",
    "log",
    "mixed_precision",
    "model",
    "peft",
    "project_name",
    "push_to_hub",
    "quantization",
    "task",
    "trainer",
    "use_flash_attention_2",
)


@dataclass
class Translated:
    """A configuration in our terms.

    Attributes:
        task: what is trained.
        settings: by ``section.key``.
        remarks: what was left out or means something else here, one sentence each.
    """

    task: Task
    settings: dict[str, Any] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def read_autotrain(path: Path) -> dict[str, Any]:
    """The configuration of that file. Raises LuthierError when it is none."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise LuthierError(f"{path}: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise LuthierError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(values, dict):
        raise LuthierError(f"{path}: not a configuration: it holds no keys.")
    return values


def translate(values: Mapping[str, Any]) -> Translated:
    """The settings of an AutoTrain configuration.

    What the configuration leaves out takes our defaults, not AutoTrain's.

    Args:
        values: the file as a mapping.

    Raises:
        LuthierError: the task is missing or unknown, or a part is no mapping.
    """
    data, hub = _part(values, "data"), _part(values, "hub")
    columns = data.get("column_mapping") or {}
    if not isinstance(columns, Mapping):
        raise LuthierError("data.column_mapping is not a mapping.")
    given = {**columns, **_part(values, "params")}
    found = Translated(_task(values, given))
    _set_model_and_data(found, values, data)
    given.setdefault("chat_template", data.get("chat_template"))
    given.setdefault("log", values.get("log"))
    project = given.pop("project_name", None) or values.get("project_name")
    if project:
        found.settings["name"] = str(project)
    if given.pop("push_to_hub", hub.get("push_to_hub")):
        _set_upload(found, given.get("username") or hub.get("username"), project)
    for key, value in given.items():
        if key == "text_column" and found.task.id == "llm-sft" and _said(given["chat_template"]):
            key = "messages_column"
        _translate(found, key, value)
    if (backend := values.get("backend", "local")) not in ("local", "local-cli", "local-ui"):
        found.remarks.append(
            f"backend: {backend} is left out; add a machine with luthier host add and name it in "
            "launch.host."
        )
    return found


def _part(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = values.get(name) or {}
    if not isinstance(part, Mapping):
        raise LuthierError(f"{name} is not a mapping.")
    return part


def _task(values: Mapping[str, Any], given: dict[str, Any]) -> Task:
    name = values.get("task")
    if not name:
        raise LuthierError("task is missing: this is no AutoTrain configuration.")
    name = str(name)
    if name == "llm" and (trainer := given.pop("trainer", None)):
        name = f"llm-{'generic' if trainer == 'default' else trainer}"
    elif name == "tabular":
        name = f"tabular-{given.pop('task', 'classification')}"
    return find_task(name)


def _set_model_and_data(
    found: Translated, values: Mapping[str, Any], data: Mapping[str, Any]
) -> None:
    settings = found.settings
    model = _part(values, "params").get("model") or values.get("base_model")
    if model and _has(found.task, "model.estimators"):
        settings["model.estimators"] = [str(model)]
    elif model:
        settings["model.name_or_path"] = str(model)
    if data.get("path"):
        settings["data.path"] = str(data["path"])
    subset, _, split = str(data.get("train_split") or "train").rpartition(":")
    settings["data.train_split"] = split
    if subset:
        settings["data.subset"] = subset
    if validation := data.get("valid_split"):
        settings["data.validation_split"] = str(validation).rpartition(":")[2]


def _set_upload(found: Translated, user: Any, project: Any) -> None:
    user = os.path.expandvars(str(user or ""))
    if not user or "$" in user or not project:
        found.remarks.append(
            "push_to_hub is left out, because it is not known whose repository is meant: set "
            "output.push_to_hub and output.hub_model_id: owner/name."
        )
        return
    found.settings["output.push_to_hub"] = True
    found.settings["output.hub_model_id"] = f"{user}/{project}"


def _said(value: Any) -> Any:
    """None for the words that mean nothing."""
    return None if isinstance(value, str) and value.strip().lower() in _NO_WORDS else value


def _translate(found: Translated, key: str, value: Any) -> None:
    value = _said(value)
    if key in DECIDED:
        _decide(found, key, value)
    elif key in PARAMETERS:
        _set(found, key, PARAMETERS[key], value)
    elif key in DROPPED:
        if value:
            found.remarks.append(f"{key} is left out: {DROPPED[key]}.")
    elif key.endswith(("_column", "_columns")):
        _map_column(found, key, value)
    elif value is not None:
        found.remarks.append(f"{key}: {value} is left out; nothing here is called so.")


def _decide(found: Translated, key: str, value: Any) -> None:
    settings = found.settings
    if key == "log":
        settings["training.report_to"] = [str(value)] if value else []
        _keep_known(found, ["training.report_to"], key)
    elif key == "mixed_precision":
        settings["launch.precision"] = _PRECISIONS.get(str(value), "no")
    elif key == "peft":
        settings["peft.method"] = "lora" if value else "none"
        _keep_known(found, ["peft.method"], key)
    elif key == "quantization" and value:
        _set(found, key, (_QUANTISATION.get(str(value), ""),), True)
    elif key == "disable_gradient_checkpointing":
        _set(found, key, ("training.gradient_checkpointing",), not value)
    elif key == "use_flash_attention_2" and value:
        _set(found, key, ("model.attn_implementation",), "flash_attention_2")
    elif key == "chat_template" and value and value != "tokenizer":
        _set(found, key, ("model.chat_template",), value)
    elif key == "distributed_backend" and value:
        _set(found, key, ("launch.strategy",), value)


def _set(found: Translated, key: str, ours: Iterable[str], value: Any) -> None:
    if value is None or (key in ("logging_steps", "block_size") and value == -1):
        return
    name = next((name for name in ours if _has(found.task, name)), None)
    if name is None:
        found.remarks.append(f"{key}: {value} is left out; {found.task.id} has no such setting.")
    elif name == "training.block_size" and isinstance(value, list):
        found.settings[name] = value[0]
    else:
        found.settings[name] = _as_list(value) if name.startswith("data.") else value


def _keep_known(found: Translated, names: Iterable[str], key: str) -> None:
    for name in names:
        if not _has(found.task, name) and found.settings.pop(name):
            found.remarks.append(f"{key} is left out; {found.task.id} has no such setting.")


def _map_column(found: Translated, key: str, value: Any) -> None:
    if value is None:
        return
    role = _role(found.task, key)
    named = ", ".join(_as_list(value))
    if role is None:
        found.remarks.append(f"{key}: {named} is left out; {found.task.id} has no such column.")
    elif role == "id":
        found.settings["data.ignored_columns"] = _as_list(value)
    else:
        found.settings.setdefault("data.column_mapping", {})[role] = named


_ROLES: dict[str, Callable[[set[str]], str | None]] = {
    "id_column": lambda roles: "id" if "id" in roles else None,
    "target_columns": lambda roles: "label" if "label" in roles else None,
    "target_column": lambda roles: _first(roles, "label", "target", "score", "tags"),
    "text_column": lambda roles: _first(roles, "chosen", "context", "caption", "answer", "text"),
    "answer_column": lambda roles: _first(roles, "answers", "answer"),
    "prompt_text_column": lambda roles: _first(roles, "question", "prompt"),
    "rejected_text_column": lambda roles: _first(roles, "rejected"),
    "sentence1_column": lambda roles: _first(roles, "sentence1", "anchor", "question"),
    "sentence2_column": lambda roles: _first(roles, "sentence2", "positive", "answer"),
    "sentence3_column": lambda roles: _first(roles, "negative"),
}


def _role(task: Task, key: str) -> str | None:
    roles = {column.role for column in task.columns}
    if task.id == "llm-sft":
        # Rows of plain text or chats; columns list only what prompts and completions are.
        roles = {"text", "messages"}
    if key in _ROLES:
        return _ROLES[key](roles)
    return _first(roles, key.removesuffix("_column"))


def _first(roles: set[str], *wanted: str) -> str | None:
    return next((role for role in wanted if role in roles), None)


def _has(task: Task, name: str) -> bool:
    section, _, key = name.partition(".")
    declared = task.spec.model_fields.get(section)
    inner = section_model(declared) if declared is not None else None
    return inner is not None and key in inner.model_fields


def _as_list(value: Any) -> list[str]:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    return [str(part) for part in value]
