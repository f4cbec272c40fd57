"""Both tasks in every way they can train, each a real run of a tiny model."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from luthier.trainers.events import (
    CheckpointEvent,
    DoneEvent,
    EvaluationEvent,
    MetricsEvent,
    PhaseEvent,
    PlacementEvent,
    ProgressEvent,
    SampleEvent,
    WarningEvent,
)

BOTH = pytest.mark.parametrize("task", ["llm-sft", "llm-generic"])
_NAMES = {"loss", "grad_norm", "learning_rate", "num_tokens", "tokens_per_second"}


@BOTH
def test_a_run_says_what_it_does(workshop: Any, task: str) -> None:
    done = workshop.go(
        task,
        **{"evaluation.strategy": "steps", "evaluation.steps": 2, "training.save_steps": 2},
    )
    phases = [event.name for event in done.of(PhaseEvent)]
    assert phases == ["preflight", "loading", "tokenizing", "probing", "training", "saving"]
    (place,) = done.of(PlacementEvent)
    assert (place.devices, place.strategy, place.world_size) == (["cpu"], "single", 1)
    assert place.precision == "no"
    assert 0 < place.trainable_parameters < place.total_parameters
    assert sum(place.dtypes.values()) == place.total_parameters
    order = [event.kind for event in done.events]
    assert order.index("placement") < order.index("metrics")
    assert [event.step for event in done.of(MetricsEvent)] == [1, 2, 3, 4]
    names = _NAMES | {"mean_token_accuracy"} | ({"entropy"} if task == "llm-sft" else set())
    assert all(event.values.keys() == names for event in done.of(MetricsEvent))
    assert all(None not in event.values.values() for event in done.of(MetricsEvent))
    tokens = [event.values["num_tokens"] for event in done.of(MetricsEvent)]
    assert tokens == sorted(set(tokens))
    evaluations = done.of(EvaluationEvent)
    assert [event.step for event in evaluations] == [2, 4]
    for event in evaluations:
        loss = event.values["eval_loss"]
        assert event.values["eval_perplexity"] == pytest.approx(torch.tensor(loss).exp().item())
        assert 0 <= event.values["eval_mean_token_accuracy"] <= 1
    assert [event.step for event in done.of(SampleEvent)] == [2, 4]
    assert all(event.prompt and event.expected for event in done.of(SampleEvent))
    assert [event.step for event in done.of(CheckpointEvent)] == [2, 4]
    assert [(done.run.path / event.path).is_dir() for event in done.of(CheckpointEvent)] == [
        True
    ] * 2
    assert done.of(ProgressEvent)[-1].step == done.of(ProgressEvent)[-1].total == 4
    (end,) = done.of(DoneEvent)
    assert (end.stopped, end.step, end.artifact) == (False, 4, "artifacts/adapter")
    assert end.metrics == json.loads((done.run.artifacts / "metrics.json").read_text())
    assert end.metrics["eval_loss"] == evaluations[-1].values["eval_loss"]


def test_a_result_is_complete_and_free_of_pickles(workshop: Any) -> None:
    done = workshop.go()
    names = {path.name for path in done.run.adapter.iterdir()}
    assert {"adapter_model.safetensors", "adapter_config.json", "tokenizer.json"} <= names
    assert {"chat_template.jinja", "README.md"} <= names
    assert not [name for name in names if name.endswith((".bin", ".pt", ".pth", ".pkl"))]
    provenance = json.loads(done.run.provenance.read_text())
    assert provenance["packages"]["torch"] == torch.__version__
    assert provenance["seed"] == 42
    fingerprint = json.loads(done.run.preflight.read_text())["fingerprint"]
    assert provenance["data"]["fingerprint"] == fingerprint != ""


@BOTH
@pytest.mark.parametrize(
    ("method", "changes"),
    [
        ("lora", {"peft.use_rslora": True}),
        ("lora", {"peft.target_modules": ["q_proj", "v_proj"], "peft.modules_to_save": ["norm"]}),
        ("lora", {"peft.exclude_modules": ["down_proj"], "peft.bias": "lora_only"}),
        ("lora", {"peft.init_lora_weights": "pissa"}),
        ("lora", {"training.gradient_checkpointing": True}),
        ("dora", {}),
        ("ia3", {}),
        ("prompt-tuning", {"peft.num_virtual_tokens": 4}),
        ("prompt-tuning", {"peft.num_virtual_tokens": 4, "peft.prompt_tuning_init_text": "count"}),
    ],
)
def test_adapters_learn_and_load_again(
    workshop: Any, task: str, method: str, changes: dict[str, Any]
) -> None:
    done = workshop.go(task, **{"peft.method": method, "training.learning_rate": 0.05, **changes})
    losses = list(done.losses.values())
    assert losses[-1] != losses[0]
    config = json.loads((done.run.adapter / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(workshop.model)
    base = AutoModelForCausalLM.from_pretrained(workshop.model)
    tokenizer = AutoTokenizer.from_pretrained(done.run.adapter)
    row = tokenizer("count to 3", return_tensors="pt")
    before = base(**row).logits
    after = PeftModel.from_pretrained(base, done.run.adapter)(**row).logits
    assert not torch.equal(before, after[:, -before.shape[1] :])


def test_adapter_settings_arrive(workshop: Any) -> None:
    done = workshop.go(**{"peft.use_rslora": True, "peft.r": 2, "peft.lora_alpha": 7.0})
    config = json.loads((done.run.adapter / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["use_rslora"]) == (2, 7.0, True)
    assert config["lora_dropout"] == 0.1


@BOTH
def test_full_training_writes_a_model(workshop: Any, task: str) -> None:
    done = workshop.go(task, **{"peft.method": "none"})
    (place,) = done.of(PlacementEvent)
    assert place.trainable_parameters == place.total_parameters
    assert done.of(DoneEvent)[0].artifact == "artifacts/model"
    trained = AutoModelForCausalLM.from_pretrained(done.run.model).state_dict()
    before = AutoModelForCausalLM.from_pretrained(workshop.model).state_dict()
    assert all(not torch.equal(trained[name], before[name]) for name in before)


@BOTH
@pytest.mark.parametrize(
    ("bits", "layer"), [("load_in_4bit", torch.uint8), ("load_in_8bit", torch.int8)]
)
def test_quantised_bases(workshop: Any, task: str, bits: str, layer: torch.dtype) -> None:
    done = workshop.go(task, **{f"model.{bits}": True})
    (place,) = done.of(PlacementEvent)
    assert str(layer).removeprefix("torch.") in place.dtypes
    assert done.losses[4] < done.losses[1]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "auto"])
def test_weights_have_the_number_type_of_the_spec(workshop: Any, dtype: str) -> None:
    done = workshop.go(**{"model.dtype": dtype, "peft.method": "none"})
    (place,) = done.of(PlacementEvent)
    assert place.dtypes.keys() == {"float32" if dtype == "auto" else dtype}


@BOTH
def test_mixed_precision(workshop: Any, task: str) -> None:
    done = workshop.go(task, **{"launch.precision": "bf16"})
    assert done.of(PlacementEvent)[0].precision == "bf16"
    exact = workshop.go(task)
    assert done.losses[1] == pytest.approx(exact.losses[1], rel=0.02)
    assert done.losses[1] != exact.losses[1]


def test_automatic_precision_is_said(workshop: Any) -> None:
    able = torch.cpu.get_capabilities()
    expected = "bf16" if able.get("avx512_bf16") or able.get("amx_bf16") else "no"
    done = workshop.go(**{"launch.precision": "auto"})
    assert done.of(PlacementEvent)[0].precision == expected


@pytest.mark.parametrize(
    "optim",
    ["adamw_torch", "adamw_8bit", "paged_adamw_8bit", "lion_8bit", "adafactor", "sgd", "ademamix"],
)
def test_optimizers(workshop: Any, optim: str) -> None:
    done = workshop.go(**{"training.optim": optim, "training.max_steps": 2})
    assert len(done.losses) == 2


@pytest.mark.parametrize(
    ("schedule", "options"),
    [
        ("cosine_with_min_lr", {"min_lr": 0.001}),
        ("warmup_stable_decay", {"num_decay_steps": 1}),
        ("inverse_sqrt", {}),
        ("reduce_lr_on_plateau", {}),
    ],
)
def test_schedules(workshop: Any, schedule: str, options: dict[str, float]) -> None:
    workshop.go(
        **{
            "training.lr_scheduler_type": schedule,
            "training.lr_scheduler_kwargs": options,
            "training.warmup_steps": 1,
            "training.max_steps": 3,
            "evaluation.strategy": "steps",
            "evaluation.steps": 1,
        }
    )


@BOTH
@pytest.mark.parametrize(
    "changes",
    [
        {"training.dataloader_num_workers": 1, "training.dataloader_prefetch_factor": 2},
        {"training.full_determinism": True},
        {"training.label_smoothing_factor": 0.1},
        {"training.torch_empty_cache_steps": 1},
        {"training.dataloader_drop_last": True, "training.optim_args": "foreach=False"},
        {"training.logging_strategy": "epoch", "training.num_train_epochs": 1},
        {"peft.method": "prompt-tuning", "training.gradient_checkpointing": True},
        {"launch.precision": "bf16", "training.gradient_checkpointing": True},
        {"model.load_in_4bit": True, "evaluation.strategy": "steps", "evaluation.steps": 2},
        {"model.dtype": "bfloat16", "evaluation.strategy": "steps", "evaluation.steps": 2},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_other_settings_do_no_harm(workshop: Any, task: str, changes: dict[str, Any]) -> None:
    done = workshop.go(task, **changes)
    assert done.of(DoneEvent)[0].step == 4
    assert all(loss is not None and loss > 0 for loss in done.losses.values())


def test_compiled_models_train(workshop: Any) -> None:
    settings = {"training.torch_compile": True, "training.torch_compile_backend": "eager"}
    done = workshop.go(**settings, **{"training.max_steps": 1})
    plain = workshop.go(**{"training.max_steps": 1})
    assert done.losses == pytest.approx(plain.losses, rel=1e-4)
    assert (done.run.adapter / "adapter_model.safetensors").exists()


def test_what_was_cut_is_a_warning(workshop: Any) -> None:
    done = workshop.go(**{"training.max_length": 16})
    assert any("long" in event.message for event in done.of(WarningEvent))


def test_rows_that_pack_give_fewer_steps(workshop: Any) -> None:
    epoch = {"training.max_steps": -1, "training.num_train_epochs": 1}
    plain = workshop.go(**epoch)
    for strategy in ("bfd", "wrapped"):
        packed = workshop.go(
            **epoch,
            **{
                "training.packing": True,
                "training.packing_strategy": strategy,
                "training.max_length": 128,
            },
        )
        assert packed.of(DoneEvent)[0].step < plain.of(DoneEvent)[0].step


def test_no_validation_rows_means_no_evaluation(workshop: Any) -> None:
    done = workshop.go(**{"evaluation.strategy": "epoch", "data.validation_fraction": 0})
    assert not done.of(EvaluationEvent)
    assert any("validation" in event.message for event in done.of(WarningEvent))


@BOTH
def test_given_prompts_are_answered(workshop: Any, task: str) -> None:
    done = workshop.go(
        task,
        **{
            "evaluation.strategy": "epoch",
            "evaluation.sample_prompts": ["count to 3", "hello"],
            "data.system_prompt": "be brief",
            "training.max_steps": 5,
        },
    )
    first = [event for event in done.of(SampleEvent) if event.step == 5]
    assert [event.prompt for event in first] == ["count to 3", "hello"]


def test_the_best_step_is_kept(workshop: Any) -> None:
    # Taking the highest loss for the best makes an early step the best for certain.
    done = workshop.go(
        **{
            "training.max_steps": 4,
            "training.save_steps": 1,
            "training.save_total_limit": 1,
            "evaluation.strategy": "steps",
            "evaluation.steps": 1,
            "evaluation.load_best_model_at_end": True,
            "evaluation.metric_for_best_model": "eval_perplexity",
            "evaluation.greater_is_better": True,
        }
    )
    scores = {event.step: event.values["eval_loss"] for event in done.of(EvaluationEvent)}
    best = max(scores, key=lambda step: scores[step])
    assert best < 4
    assert done.of(DoneEvent)[0].metrics["eval_loss"] == scores[best]
    assert {event.step: event.best for event in done.of(CheckpointEvent)}[best]
    kept = done.run.checkpoints / f"checkpoint-{best}" / "adapter_model.safetensors"
    result = done.run.adapter / "adapter_model.safetensors"
    assert kept.read_bytes() == result.read_bytes()


def test_patience_ends_a_run(workshop: Any) -> None:
    done = workshop.go(
        **{
            "training.max_steps": 20,
            "training.save_steps": 1,
            "evaluation.strategy": "steps",
            "evaluation.steps": 1,
            "evaluation.early_stopping_patience": 3,
            "evaluation.greater_is_better": True,
        }
    )
    (end,) = done.of(DoneEvent)
    assert (end.stopped, end.step, end.artifact) == (False, 4, "artifacts/adapter")


def test_only_the_newest_checkpoints_are_kept(workshop: Any) -> None:
    done = workshop.go(**{"training.save_steps": 1, "training.save_total_limit": 2})
    assert [path.name for path in done.run.complete_checkpoints()] == [
        "checkpoint-3",
        "checkpoint-4",
    ]
