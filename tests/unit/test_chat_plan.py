"""What a chat loads, read from the folders of runs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from luthier.agent.api.errors import ApiError
from luthier.agent.chat.environment import worker_environment
from luthier.agent.chat.plan import plan_base, plan_model, plan_runs
from luthier.agent.models import Attempt, RunDetail
from luthier.agent.states import RunState


def make_run(
    folder: Path,
    run_id: str = "run-a",
    *,
    adapter: dict[str, Any] | None = None,
    whole: bool = False,
    state: RunState = RunState.SUCCEEDED,
    task: str = "llm-sft",
    model: dict[str, Any] | None = None,
    devices: list[str] | None = None,
    offline: bool = False,
    prompts: list[str] | None = None,
) -> RunDetail:
    """A run as the agent has it, with the files that its worker would have left."""
    home = folder / run_id
    if adapter is not None:
        (home / "artifacts" / "adapter").mkdir(parents=True)
        text = json.dumps({"peft_type": "LORA", **adapter})
        (home / "artifacts" / "adapter" / "adapter_config.json").write_text(text)
    if whole:
        (home / "artifacts" / "model").mkdir(parents=True)
        (home / "artifacts" / "model" / "config.json").write_text("{}")
    home.mkdir(parents=True, exist_ok=True)
    if prompts is not None:
        samples = [{"prompt": prompt, "messages": [], "expected": "x"} for prompt in prompts]
        (home / "preflight.json").write_text(json.dumps({"sample_prompts": samples}))
    return RunDetail(
        id=run_id,
        name=run_id,
        task=task,
        model="base",
        host="local",
        state=state,
        created_at=0.0,
        attempts=[Attempt(number=1, started_at=0.0, devices=devices or ["cpu"])],
        folder=str(home),
        spec={"model": {"name_or_path": "base", **(model or {})}, "launch": {"offline": offline}},
    )


def test_an_adapter_goes_onto_the_model_as_it_was_loaded(tmp_path: Path) -> None:
    settings = {"dtype": "bfloat16", "load_in_4bit": True, "trust_remote_code": True}
    run = make_run(
        tmp_path, adapter={}, model=settings, devices=["cuda:1"], offline=True, prompts=["a", "b"]
    )
    plan = plan_runs([run])
    assert plan.model.name_or_path == "base"
    assert {key: getattr(plan.model, key) for key in settings} == settings
    assert plan.voices == ["base", "run-a"]
    assert plan.adapters[0].path == tmp_path / "run-a" / "artifacts" / "adapter"
    assert (plan.devices, plan.offline, plan.questions) == (("cuda:1",), True, ("a", "b"))


def test_a_whole_model_is_its_own_base(tmp_path: Path) -> None:
    run = make_run(tmp_path, whole=True, model={"revision": "main", "tokenizer": "other"})
    plan = plan_runs([run])
    assert plan.voices == ["run-a"]
    assert plan.model.name_or_path == str(tmp_path / "run-a" / "artifacts" / "model")
    assert (plan.model.revision, plan.model.tokenizer) == (None, None)
    base = plan_base(run)
    assert (base.voices, base.model.name_or_path, base.model.revision) == (
        ["base"],
        "base",
        "main",
    )
    assert not base.fits(plan)


def test_an_adapter_wins_over_the_merged_model(tmp_path: Path) -> None:
    assert plan_runs([make_run(tmp_path, adapter={}, whole=True)]).voices == ["base", "run-a"]


def test_runs_of_one_base_share_a_worker_and_what_training_needs_does_not_count(
    tmp_path: Path,
) -> None:
    first = make_run(tmp_path, "one", adapter={}, prompts=["a"])
    second = make_run(
        tmp_path,
        "two",
        adapter={},
        prompts=["b", "a"],
        model={"use_cache": True, "chat_template": "chatml"},
    )
    plan = plan_runs([first, second])
    assert plan.voices == ["base", "one", "two"]
    assert plan.questions == ("b", "a")
    assert plan_runs([second]).fits(plan_runs([first]))
    assert plan_base(first).fits(plan)
    # The one that was asked for last is the newest.
    assert plan.joined(plan_runs([first])).voices == ["base", "two", "one"]


@pytest.mark.parametrize(
    "other",
    [
        {"adapter": {}, "model": {"name_or_path": "elsewhere"}},
        {"adapter": {}, "model": {"dtype": "float32"}},
        {"adapter": {}, "model": {"load_in_8bit": True}},
        {"adapter": {}, "devices": ["cuda:0"]},
        {"adapter": {"peft_type": "IA3"}},
        {"adapter": {"init_lora_weights": "pissa_niter_16"}},
        {"whole": True},
    ],
)
def test_runs_that_differ_in_the_base_do_not_share(tmp_path: Path, other: dict[str, Any]) -> None:
    first, second = make_run(tmp_path, "one", adapter={}), make_run(tmp_path, "two", **other)
    assert not plan_runs([first]).fits(plan_runs([second]))
    with pytest.raises(ApiError, match="Runs one and two cannot share one loaded model"):
        plan_runs([first, second])


def test_a_run_that_went_on_is_loaded_anew(tmp_path: Path) -> None:
    run = make_run(tmp_path, adapter={})
    before = plan_runs([run])
    config = tmp_path / "run-a" / "artifacts" / "adapter" / "adapter_config.json"
    os.utime(config, ns=(1, 1))
    assert not before.fits(plan_runs([run]))


def test_an_adapter_that_changes_the_base_offers_no_base_voice(tmp_path: Path) -> None:
    run = make_run(tmp_path, adapter={"init_lora_weights": "pissa"})
    assert plan_runs([run]).voices == ["run-a"]
    assert plan_base(run).voices == ["base"]
    assert not plan_base(run).fits(plan_runs([run]))


def test_a_model_alone_joins_a_worker_wherever_it_is(tmp_path: Path) -> None:
    loaded = plan_runs([make_run(tmp_path, adapter={}, devices=["cuda:0"])])
    assert loaded.fits(plan_model("base"))
    assert not loaded.fits(plan_model("other"))


@pytest.mark.parametrize(
    ("settings", "status", "said"),
    [
        ({}, 409, "Run run-a has no adapter or model to chat with \\(it is succeeded\\)."),
        ({"adapter": {}, "state": RunState.RUNNING}, 409, "Run run-a is running; chat with it"),
        ({"adapter": {}, "model": {"name_or_path": ""}}, 422, "run run-a: name_or_path: "),
    ],
)
def test_refusals(tmp_path: Path, settings: dict[str, Any], status: int, said: str) -> None:
    with pytest.raises(ApiError, match=said) as caught:
        plan_runs([make_run(tmp_path, **settings)])
    assert caught.value.status == status


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    run = make_run(tmp_path, adapter={})
    config = tmp_path / "run-a" / "artifacts" / "adapter" / "adapter_config.json"
    config.write_text("{")
    with pytest.raises(ApiError, match=r"adapter_config\.json: cannot be read"):
        plan_runs([run])


def test_the_worker_gets_its_device_and_nothing_else_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.delenv("LUTHIER_DEVICE", raising=False)
    cpu = worker_environment(["cpu"], offline=True)
    assert (cpu["LUTHIER_DEVICE"], cpu["CUDA_VISIBLE_DEVICES"]) == ("cpu", "")
    assert (cpu["HF_HUB_OFFLINE"], cpu["HF_TOKEN"]) == ("1", "secret")
    gpus = worker_environment(["cuda:1", "cuda:3"], offline=False)
    assert (gpus["LUTHIER_DEVICE"], gpus["CUDA_VISIBLE_DEVICES"]) == ("cuda", "1,3")
    assert "HF_HUB_OFFLINE" not in gpus
    assert "LUTHIER_DEVICE" not in worker_environment([], offline=False)
