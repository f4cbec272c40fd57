"""AutoTrain configurations become specs: every task, column and parameter is found again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from luthier.agent.cli.starter import starter_spec
from luthier.presets.autotrain import DECIDED, DROPPED, PARAMETERS, read_autotrain, translate
from luthier.trainers.errors import LuthierError
from luthier.trainers.spec.file import parse_spec

# Task ids as AutoTrain's files and its API write them, the columns that each takes, and ours.
_TEXT = {"text_column": "a", "target_column": "b"}
_PAIR = {"sentence1_column": "a", "sentence2_column": "b"}
_IMAGE = {"image_column": "a", "target_column": "b"}
_TASKS: list[tuple[str, dict[str, str], str, dict[str, str]]] = [
    ("llm-sft", {"text_column": "a"}, "llm-sft", {"text": "a"}),
    ("llm:sft", {"text_column": "a"}, "llm-sft", {"text": "a"}),
    ("llm-generic", {"text_column": "a"}, "llm-generic", {"text": "a"}),
    *[
        (
            task,
            {"prompt_text_column": "a", "text_column": "b", "rejected_text_column": "c"},
            task,
            {"prompt": "a", "chosen": "b", "rejected": "c"},
        )
        for task in ("llm-dpo", "llm-orpo")
    ],
    (
        "llm-reward",
        {"text_column": "b", "rejected_text_column": "c"},
        "llm-reward",
        {"chosen": "b", "rejected": "c"},
    ),
    (
        "vlm:vqa",
        {"image_column": "a", "prompt_text_column": "b", "text_column": "c"},
        "vlm-vqa",
        {"image": "a", "question": "b", "answer": "c"},
    ),
    (
        "vlm:captioning",
        {"image_column": "a", "text_column": "c"},
        "vlm-captioning",
        {"image": "a", "caption": "c"},
    ),
    ("st:pair", _PAIR, "st-pair", {"sentence1": "a", "sentence2": "b"}),
    ("sentence-transformers:qa", _PAIR, "st-qa", {"question": "a", "answer": "b"}),
    (
        "st:pair_class",
        {**_PAIR, "target_column": "c"},
        "st-pair-class",
        {"sentence1": "a", "sentence2": "b", "label": "c"},
    ),
    (
        "st:pair_score",
        {**_PAIR, "target_column": "c"},
        "st-pair-score",
        {"sentence1": "a", "sentence2": "b", "score": "c"},
    ),
    (
        "st:triplet",
        {**_PAIR, "sentence3_column": "c"},
        "st-triplet",
        {"anchor": "a", "positive": "b", "negative": "c"},
    ),
    ("text_classification", _TEXT, "text-classification", {"text": "a", "label": "b"}),
    ("text_binary_classification", _TEXT, "text-classification", {"text": "a", "label": "b"}),
    ("text_single_column_regression", _TEXT, "text-regression", {"text": "a", "target": "b"}),
    ("seq2seq", _TEXT, "seq2seq", {"text": "a", "target": "b"}),
    (
        "token_classification",
        {"tokens_column": "a", "tags_column": "b"},
        "token-classification",
        {"tokens": "a", "tags": "b"},
    ),
    (
        "ext_qa",
        {"text_column": "a", "question_column": "b", "answer_column": "c"},
        "extractive-question-answering",
        {"context": "a", "question": "b", "answers": "c"},
    ),
    ("image_classification", _IMAGE, "image-classification", {"image": "a", "label": "b"}),
    ("image-scoring", _IMAGE, "image-regression", {"image": "a", "target": "b"}),
    (
        "object-detection",
        {"image_column": "a", "objects_column": "b"},
        "image-object-detection",
        {"image": "a", "objects": "b"},
    ),
    ("tabular", {"target_columns": "a, b"}, "tabular-classification", {"label": "a, b"}),
]
# Everything that any of its trainers takes, columns aside.
_ALL = [
    "add_eos_token", "auto_find_batch_size", "batch_size", "block_size", "categorical_columns",
    "categorical_imputer", "chat_template", "disable_gradient_checkpointing",
    "distributed_backend", "dpo_beta", "early_stopping_patience", "early_stopping_threshold",
    "epochs", "eval_strategy", "gradient_accumulation", "image_square_size", "log",
    "logging_steps", "lora_alpha", "lora_dropout", "lora_r", "lr", "max_completion_length",
    "max_doc_stride", "max_grad_norm", "max_prompt_length", "max_seq_length",
    "max_target_length", "merge_adapter", "mixed_precision", "model", "model_max_length",
    "model_ref", "num_trials", "numeric_scaler", "numerical_columns", "numerical_imputer",
    "optimizer", "padding", "peft", "project_name", "push_to_hub", "quantization",
    "save_total_limit", "scheduler", "seed", "target_modules", "task", "time_limit", "token",
    "trainer", "unsloth", "use_flash_attention_2", "username", "warmup_ratio", "weight_decay",
]  # fmt: skip


def _configuration(task: str, columns: dict[str, str] | None = None, **params: Any) -> Any:
    return {
        "task": task,
        "base_model": "xgboost" if task == "tabular" else "someone/model",
        "project_name": "mine",
        "log": "none",
        "backend": "local",
        "data": {
            "path": "rows",
            "train_split": "train",
            "valid_split": "valid",
            "column_mapping": columns or {},
        },
        "params": params,
    }


def _settings(configuration: Any) -> Any:
    """The spec that comes out, by way of the file that is written."""
    found = translate(configuration)
    return parse_spec(starter_spec(found.task, changes=found.settings)), found


@pytest.mark.parametrize(("task", "columns", "ours", "roles"), _TASKS)
def test_tasks_and_columns_are_found_again(
    task: str, columns: dict[str, str], ours: str, roles: dict[str, str]
) -> None:
    spec, found = _settings(_configuration(task, columns))
    assert (spec.task, spec.name, spec.data.path) == (ours, "mine", "rows")
    assert (spec.data.train_split, spec.data.validation_split) == ("train", "valid")
    assert spec.data.column_mapping == roles
    assert found.remarks == []


def test_every_parameter_is_answered_for() -> None:
    assert sorted({*PARAMETERS, *DROPPED, *DECIDED}) == sorted(_ALL)


def test_the_page_names_them_all() -> None:
    page = (Path(__file__).parents[2] / "docs" / "autotrain.md").read_text(encoding="utf-8")
    assert [name for name in _ALL if f"`{name}`" not in page] == []
    ours = {name for names in PARAMETERS.values() for name in names}
    assert [name for name in ours if f"`{name}`" not in page] == []


def test_values_of_a_language_model() -> None:
    spec, found = _settings(
        {
            **_configuration(
                "llm",
                {"text_column": "messages"},
                trainer="sft",
                peft=True,
                quantization="int4",
                lora_r=8,
                lr="2e-4",
                block_size=1024,
                model_max_length=2048,
                mixed_precision="bf16",
                disable_gradient_checkpointing=False,
                distributed_backend="ddp",
                chat_template="chatml",
                logging_steps=-1,
                padding="right",
                lrr=1,
            ),
            "log": "tensorboard",
        }
    )
    assert (spec.task, spec.peft.method, spec.peft.r) == ("llm-sft", "lora", 8)
    assert (spec.model.load_in_4bit, spec.model.chat_template) == (True, "chatml")
    assert (spec.training.learning_rate, spec.training.max_length) == (2e-4, 1024)
    assert spec.training.gradient_checkpointing
    assert (spec.launch.precision, spec.launch.strategy) == ("bf16", "ddp")
    assert spec.training.report_to == ["tensorboard"]
    assert spec.data.column_mapping == {"messages": "messages"}
    said = " ".join(found.remarks)
    assert len(found.remarks) == 3
    assert all(name in said for name in ("model_max_length", "padding", "lrr: 1"))


def test_values_of_a_table() -> None:
    values = _configuration(
        "tabular",
        {"id_column": "id", "target_columns": "price"},
        num_trials=7,
        time_limit=60,
        numeric_scaler="robust",
        categorical_columns=["town"],
    )
    values["params"]["task"] = "regression"
    spec, found = _settings(values)
    assert (spec.task, spec.model.estimators) == ("tabular-regression", ["xgboost"])
    assert (spec.training.num_trials, spec.training.numeric_scaler) == (7, "robust")
    assert spec.data.ignored_columns == ["id"]
    assert spec.data.categorical_columns == ["town"]
    assert found.remarks == []


def test_a_hub_dataset_has_its_configuration_before_the_split() -> None:
    values = _configuration("llm-generic", {"text_column": "text"})
    values["data"] |= {"path": "owner/set", "train_split": "wiki:train", "valid_split": None}
    spec, _ = _settings(values)
    assert (spec.data.path, spec.data.subset, spec.data.train_split) == (
        "owner/set",
        "wiki",
        "train",
    )


@pytest.mark.parametrize(
    ("user", "model"), [("someone", "someone/mine"), ("${LUTHIER_TEST_USER}", None)]
)
def test_an_upload_needs_a_known_owner(user: str, model: str | None) -> None:
    hub = {"username": user, "token": "${HF_TOKEN}", "push_to_hub": True}
    spec, found = _settings({**_configuration("llm-generic"), "hub": hub})
    assert (spec.output.push_to_hub, spec.output.hub_model_id) == (model is not None, model)
    assert len(found.remarks) == (model is None)


def test_another_backend_is_a_host_here() -> None:
    found = translate({**_configuration("llm-sft"), "backend": "spaces-a10g-large"})
    assert "luthier host add" in found.remarks[0]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("base_model: a", "task is missing"),
        ("task: speech", "no task 'speech'"),
        ("task: llm-sft\ndata: rows", "data is not a mapping"),
        ("task: llm-sft\ndata: {column_mapping: [a]}", "column_mapping is not a mapping"),
        ("- a", "holds no keys"),
        ("a: [", "not valid YAML"),
    ],
)
def test_what_is_no_configuration_gets_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "config.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(LuthierError, match=sentence):
        translate(read_autotrain(path))
    with pytest.raises(LuthierError, match="No such file"):
        read_autotrain(tmp_path / "none.yml")


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    path.write_text(yaml.safe_dump(_configuration("seq2seq", _TEXT)), encoding="utf-8")
    assert translate(read_autotrain(path)).task.id == "seq2seq"
