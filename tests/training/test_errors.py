"""Every way a run can fail here ends in one event that a person can act on."""

from __future__ import annotations

import errno
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import Trainer

from luthier.trainers.engine.hints import hint_for
from luthier.trainers.engine.job import Reporter
from luthier.trainers.engine.memory import (
    Adjustments,
    is_out_of_memory,
    next_adjustments,
    read_adjustments,
)
from luthier.trainers.engine.outcome import RestartRequested, exit_code_of, run_to_the_end
from luthier.trainers.engine.stopping import StopRequested, StopWatch
from luthier.trainers.errors import LuthierError, SpecError, TrainingError
from luthier.trainers.events import DoneEvent, ErrorEvent, EventWriter, read_events
from luthier.trainers.run_folder import AttemptFolder, write_json
from luthier.trainers.spec.file import parse_spec

_WRONG = [
    ({"launch.precision": "fp16"}, "launch.precision: fp16 needs a GPU"),
    ({"training.tf32": True}, "training.tf32: needs an NVIDIA GPU"),
    ({"training.report_to": ["mlflow"]}, "training.report_to: mlflow is not installed"),
    ({"training.dataloader_prefetch_factor": 2}, "needs training.dataloader_num_workers over 0"),
    ({"training.lr_scheduler_type": "reduce_lr_on_plateau"}, "needs evaluation.strategy"),
    ({"training.torch_compile_mode": "default"}, "needs training.torch_compile true"),
    (
        {"data.weight_column": "prompt", "training.label_smoothing_factor": 0.1},
        "training.label_smoothing_factor: rows with weights cannot be smoothed",
    ),
    ({"model.attn_implementation": "flash_attention_2"}, "flash_attention_2 needs"),
    ({"launch.strategy": "deepspeed"}, "launch.strategy: deepspeed is not installed"),
    ({"model.chat_template": "nonsense"}, "model.chat_template: 'nonsense' is not chatml"),
    (
        {
            "evaluation.strategy": "epoch",
            "evaluation.early_stopping_patience": 1,
            "data.validation_fraction": 0,
        },
        "evaluation.early_stopping_patience: needs validation rows",
    ),
    (
        {"evaluation.strategy": "epoch", "evaluation.metric_for_best_model": "accuracy"},
        "evaluation.metric_for_best_model: 'accuracy' is not measured; choose eval_loss",
    ),
    ({"data.path": "/nowhere/rows.csv"}, "/nowhere/rows.csv"),
]


@pytest.mark.parametrize(("changes", "expected"), _WRONG)
def test_mistakes_of_a_spec_end_with_two(workshop: Any, changes: Any, expected: str) -> None:
    outcome = workshop.attempt(workshop.run(workshop.settings(**changes)))
    assert outcome.code == 2
    (error,) = outcome.of(ErrorEvent)
    assert expected in error.message
    assert "Traceback" not in error.message
    assert not outcome.run.adapter.exists()


_FAILING = [
    ({"model.name_or_path": "someone/absent"}, "offline"),
    ({"model.name_or_path": "/nowhere/model"}, "model.name_or_path"),
    ({"peft.target_modules": ["no_such_module"]}, "all-linear"),
]


@pytest.mark.parametrize(("changes", "hint"), _FAILING)
def test_what_the_libraries_refuse_comes_with_a_hint(
    workshop: Any, changes: Any, hint: str
) -> None:
    outcome = workshop.attempt(workshop.run(workshop.settings(**changes)))
    assert outcome.code == 1
    (error,) = outcome.of(ErrorEvent)
    assert hint in error.hint, error


def test_pickled_weights_are_refused(workshop: Any, tmp_path: Path) -> None:
    import shutil

    from safetensors.torch import load_file

    folder = tmp_path / "pickled"
    shutil.copytree(workshop.model, folder)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    outcome = workshop.attempt(
        workshop.run(workshop.settings(**{"model.name_or_path": str(folder)}))
    )
    assert outcome.code == 1
    assert "safetensors" in outcome.of(ErrorEvent)[0].hint


def test_chats_need_a_template(workshop: Any, plain_model: Path) -> None:
    rows = [{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}]
    workshop.data(rows * 12)
    bare = workshop.settings(**{"model.name_or_path": str(plain_model)})
    outcome = workshop.attempt(workshop.run(bare))
    assert outcome.code == 2
    assert "chatml" in outcome.of(ErrorEvent)[0].hint
    for template in ("chatml", "zephyr"):
        chat = {"model.name_or_path": str(plain_model), "model.chat_template": template}
        done = workshop.go(**chat, **{"training.assistant_only_loss": True})
        saved = (done.run.adapter / "chat_template.jinja").read_text(encoding="utf-8")
        assert "assistant" in saved


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "batch"),
        (MemoryError(), "batch"),
        (OSError(errno.ENOSPC, "No space left on device"), "space"),
        (OSError("You are trying to access a gated repo."), "consent"),
        (OSError("401 Client Error: Unauthorized"), "HF_TOKEN"),
        (ModuleNotFoundError("No module named 'trackio'", name="trackio"), "pip install trackio"),
        (ImportError("FlashAttention2 has been toggled on"), "sdpa"),
        (ImportError("Using `bitsandbytes` 4-bit quantization requires it"), "pip install"),
        (ValueError("Cannot use chat template functions: chat_template is not set"), "chatml"),
        (IndexError("index out of range in self"), "model.tokenizer"),
        (ValueError("something never seen"), ""),
    ],
)
def test_likely_causes(error: Exception, hint: str) -> None:
    found = hint_for(error)
    assert hint in found
    assert bool(hint) == bool(found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory", True),
        ("CUDA out of memory. Tried to allocate", True),
        ("std::bad_alloc", True),
        ("shape '[32, 0]' is invalid for input of size 16", False),
    ],
)
def test_running_out_of_memory_is_recognised(text: str, expected: bool) -> None:
    assert is_out_of_memory(RuntimeError(text)) is expected


def test_an_evaluation_that_does_not_fit(workshop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(Trainer, "evaluation_loop", full)
    settings = workshop.settings(**{"evaluation.strategy": "steps", "evaluation.steps": 1})
    outcome = workshop.attempt(workshop.run(settings))
    assert outcome.code == 1
    assert "per_device_eval_batch_size" in outcome.of(ErrorEvent)[0].hint
    assert not outcome.run.attempt(1).restart_request.exists()


def test_a_changed_batch_forgets_the_ladder(tmp_path: Path) -> None:
    attempt = AttemptFolder(tmp_path / "attempt-1")
    kept = Adjustments(per_device_train_batch_size=2, gradient_accumulation_steps=4, retries=2)
    write_json(attempt.adjustments, kept.model_dump())
    assert read_adjustments(attempt, TestLadder()._spec(8)) == kept
    assert read_adjustments(attempt, TestLadder()._spec(4)) is None


class TestLadder:
    """Smaller batches, with the same rows in a step."""

    def _spec(self, batch: int, **training: Any) -> Any:
        lines = [f"  per_device_train_batch_size: {batch}"]
        lines += [f"  {key}: {value}" for key, value in training.items()]
        text = "task: llm-sft\nmodel: {name_or_path: m}\ndata: {path: d}\ntraining:\n"
        return parse_spec(text + "\n".join(lines))

    @pytest.mark.parametrize(
        ("batch", "steps", "expected"),
        [(8, 1, (4, 2)), (6, 2, (3, 4)), (9, 1, (3, 3)), (5, 2, (1, 10)), (2, 4, (1, 8))],
    )
    def test_the_effective_batch_stays(
        self, batch: int, steps: int, expected: tuple[int, int]
    ) -> None:
        found = next_adjustments(self._spec(batch, gradient_accumulation_steps=steps), None)
        changed = (found.per_device_train_batch_size, found.gradient_accumulation_steps)
        assert changed == expected
        assert batch * steps == changed[0] * changed[1]

    def test_it_ends_at_one_row(self) -> None:
        with pytest.raises(TrainingError, match="single row"):
            next_adjustments(self._spec(1), None)

    def test_it_ends_after_the_retries(self) -> None:
        before = Adjustments(
            per_device_train_batch_size=4, gradient_accumulation_steps=2, retries=1
        )
        with pytest.raises(TrainingError, match="all 1 retries") as caught:
            next_adjustments(self._spec(4, out_of_memory_retries=1), before)
        assert "gradient_checkpointing" in caught.value.hint


class TestOutcome:
    """Ways out of a worker and what they look like from outside."""

    @pytest.fixture
    def attempt(self, tmp_path: Path) -> AttemptFolder:
        folder = AttemptFolder(tmp_path / "attempt-1")
        folder.path.mkdir()
        return folder

    def _end(self, attempt: AttemptFolder, error: BaseException) -> int:
        def action() -> None:
            raise error

        with StopWatch(attempt) as stop, Reporter(attempt) as reporter:
            return run_to_the_end(reporter, stop, action)

    @pytest.mark.parametrize(
        ("error", "code"),
        [
            (SpecError([]), 2),
            (LuthierError("x"), 2),
            (TrainingError("x"), 1),
            (RuntimeError("x"), 1),
            (RestartRequested(), 75),
        ],
    )
    def test_codes(self, attempt: AttemptFolder, error: Exception, code: int) -> None:
        assert self._end(attempt, error) == code
        spoken = [event for event in read_events(attempt.events) if isinstance(event, ErrorEvent)]
        assert len(spoken) == (0 if code == 75 else 1)
        if code != 75:
            assert exit_code_of(attempt) == code

    def test_an_error_while_leaving_is_no_failure(self, attempt: AttemptFolder) -> None:
        attempt.stop_request.touch()
        assert self._end(attempt, RuntimeError("connection closed by peer")) == 0
        (done,) = read_events(attempt.events)
        assert isinstance(done, DoneEvent)
        assert done.stopped

    def test_only_the_first_process_to_fail_speaks(
        self, attempt: AttemptFolder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with StopWatch(attempt) as stop, Reporter(attempt) as reporter:
            other = EventWriter(attempt.events)
            other.write(ErrorEvent(type="ValueError", message="the cause (process 1)"))

            def action() -> None:
                raise RuntimeError("Connection closed by peer")

            assert run_to_the_end(reporter, stop, action) == 1
            other.close()
        assert [event.message for event in read_events(attempt.events)] == ["the cause (process 1)"]

    def test_of_those_that_fail_at_once_one_speaks(self, attempt: AttemptFolder) -> None:
        together = threading.Barrier(8)

        def fail(reporter: Reporter) -> None:
            together.wait()
            reporter.fail(ErrorEvent(type="ValueError", message="the cause"))

        with ExitStack() as stack, ThreadPoolExecutor(8) as pool:
            reporters = [stack.enter_context(Reporter(attempt)) for _ in range(8)]
            list(pool.map(fail, reporters))
        assert len(read_events(attempt.events)) == 1

    def test_the_launchers_signal_after_a_failure_is_no_stop(self, attempt: AttemptFolder) -> None:
        with StopWatch(attempt) as stop, Reporter(attempt) as reporter:
            with Reporter(attempt) as other:
                other.fail(ErrorEvent(type="SpecError", message="the cause (process 1)"))

            def action() -> None:
                raise StopRequested(3)

            assert run_to_the_end(reporter, stop, action) == 2
        assert [event.message for event in read_events(attempt.events)] == ["the cause (process 1)"]

    def test_an_error_of_an_earlier_start_does_not_silence(self, attempt: AttemptFolder) -> None:
        assert self._end(attempt, ValueError("first")) == 1
        assert self._end(attempt, ValueError("second")) == 1
        assert [event.message for event in read_events(attempt.events)] == ["first", "second"]

    def test_secrets_are_not_told(
        self, attempt: AttemptFolder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HF_TOKEN", "hf_very_secret")
        self._end(attempt, ValueError("Bearer hf_very_secret was refused"))
        assert b"hf_very_secret" not in attempt.events.read_bytes()
