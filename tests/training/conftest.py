"""A tiny model made once a session, and runs of it in this very process."""

from __future__ import annotations

import json
import os
import string
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml
from tests.training.forking import Forked

from luthier.trainers.events import Event, MetricsEvent, read_events
from luthier.trainers.run_folder import RunFolder

E = TypeVar("E")

_TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' }}"
    "{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] + '<|end|>' }}{% endgeneration %}"
    "{% else %}{{ message['content'] + '<|end|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder loads torch."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.training)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama of 2 layers with a character tokenizer and a chat template."""
    return _build_model(tmp_path_factory.mktemp("tiny-chat"), _TEMPLATE)


@pytest.fixture(scope="session")
def plain_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model without a chat template."""
    return _build_model(tmp_path_factory.mktemp("tiny-plain"), None)


def _build_model(folder: Path, template: str | None) -> Path:
    import torch
    from tokenizers import AddedToken, Tokenizer, decoders
    from tokenizers.models import BPE
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    specials = ["<|pad|>", "<|end|>", "<|unknown|>", "<|user|>", "<|assistant|>", "<|system|>"]
    letters = "\n " + string.digits + string.ascii_letters + string.punctuation
    tokenizer = Tokenizer(
        BPE({t: n for n, t in enumerate([*specials, *letters])}, merges=[], unk_token="<|unknown|>")
    )
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in specials])
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<|pad|>",
        unk_token="<|unknown|>",
        eos_token="<|end|>",
        chat_template=template,
        clean_up_tokenization_spaces=False,
    )
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(wrapped),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
            max_position_embeddings=512,
            bos_token_id=None,
            eos_token_id=wrapped.eos_token_id,
            pad_token_id=wrapped.pad_token_id,
        )
    )
    model.save_pretrained(folder)
    wrapped.save_pretrained(folder)
    return folder


@dataclass
class Outcome:
    """What an attempt left behind."""

    run: RunFolder
    code: int
    events: list[Event]

    def of(self, kind: type[E]) -> list[E]:
        """The events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def losses(self) -> dict[int, float | None]:
        """The training loss by step."""
        return {
            event.step: event.values["loss"] for event in self.events if event.kind == "metrics"
        }


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Nested settings with the changes put in; ``section.key`` names reach inside."""
    result = json.loads(json.dumps(base))
    for key, value in changes.items():
        section, _, name = key.partition(".")
        if name:
            result.setdefault(section, {})[name] = value
        else:
            result[section] = value
    return result


class Workshop:
    """Makes run folders and runs attempts in them."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.folder = folder
        self.model = model
        self._runs = 0

    def data(self, rows: list[dict[str, Any]] | None = None, name: str = "data") -> Path:
        """A file of rows; silent: 24 prompts with completions of differing lengths."""
        path = self.folder / f"{name}.jsonl"
        if rows is None:
            rows = [
                {"prompt": f"count to {n}", "completion": " ".join(map(str, range(1, n % 7 + 2)))}
                for n in range(24)
            ]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    def settings(self, task: str = "llm-sft", **changes: Any) -> dict[str, Any]:
        """A quick run on the CPU, changed by ``section.key`` settings."""
        base: dict[str, Any] = {
            "task": task,
            "model": {"name_or_path": str(self.model)},
            "data": {"path": str(self.folder / "data.jsonl"), "validation_fraction": 0.2},
            "training": {
                "max_steps": 4,
                "per_device_train_batch_size": 4,
                "learning_rate": 0.01,
                "logging_steps": 1,
                "save_steps": 100,
            },
            "peft": {"method": "lora", "r": 4, "lora_dropout": 0.1},
            "evaluation": {"strategy": "no", "samples": 1, "sample_max_new_tokens": 4},
            "launch": {"devices": "cpu", "precision": "no", "offline": True, "threads": 1},
        }
        if task == "llm-generic":
            base["training"]["block_size"] = 16
        if not (self.folder / "data.jsonl").exists():
            self.data()
        return merged(base, changes)

    def run(self, settings: dict[str, Any]) -> RunFolder:
        """A run folder with that spec."""
        self._runs += 1
        run = RunFolder(self.folder / f"run-{self._runs}")
        run.path.mkdir()
        run.spec.write_text(yaml.safe_dump(settings), encoding="utf-8")
        return run

    def attempt(self, run: RunFolder, number: int = 1) -> Outcome:
        """Run an attempt to its end in this process."""
        from luthier.trainers import launch

        code = launch.main([str(run.path), str(number)])
        return Outcome(run, code, read_events(run.attempt(number).events))

    def go(self, task: str = "llm-sft", **changes: Any) -> Outcome:
        """A run's first attempt, which must succeed."""
        return self.finished(self.settings(task, **changes))

    def train(
        self, task: str, model: Path, data: Path, changes: dict[str, Any], code: int = 0
    ) -> Outcome:
        """The first attempt of a run on that data, of which a fifth is measured."""
        base = {
            "task": task,
            "model": {"name_or_path": str(model)},
            "data": {"path": str(data), "validation_fraction": 0.2},
            "launch": {"devices": "cpu", "offline": True, "precision": "no", "threads": 1},
        }
        return self.finished(merged(base, changes), code)

    def finished(self, settings: dict[str, Any], code: int = 0) -> Outcome:
        """The first attempt of a run with those settings, which must leave with that code."""
        outcome = self.attempt(self.run(settings))
        assert outcome.code == code, [e for e in outcome.events if e.kind == "error"]
        return outcome

    def fork(self, run: RunFolder, number: int = 1) -> Forked:
        """Start an attempt as a process of its own that has torch loaded from the start."""
        return Forked(run, number)

    def start(self, run: RunFolder, number: int = 1, **options: Any) -> subprocess.Popen[bytes]:
        """Start an attempt as a process of its own, in a group of its own."""
        attempt = run.attempt(number)
        attempt.path.mkdir(parents=True, exist_ok=True)
        log = attempt.output.open("ab")
        return subprocess.Popen(
            [sys.executable, "-m", "luthier.trainers.launch", str(run.path), str(number)],
            stdout=log,
            stderr=log,
            start_new_session=True,
            **options,
        )


@pytest.fixture
def workshop(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Workshop]:
    """Runs of the tiny model in a folder of their own."""
    before = dict(os.environ)
    monkeypatch.setenv("LUTHIER_DEVICE", "cpu")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    yield Workshop(tmp_path, tiny_model)
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def stop_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Ask for a stop, by the file, at the log of a step; the worker leaves a step later."""
    from luthier.trainers.engine.job import Reporter

    write = Reporter.emit

    def arrange(step: int) -> None:
        def emit(self: Reporter, event: Event) -> None:
            write(self, event)
            if isinstance(event, MetricsEvent) and event.step == step:
                self.attempt.stop_request.write_text("{}", encoding="utf-8")

        monkeypatch.setattr(Reporter, "emit", emit)

    return arrange


def wait_for(condition: Callable[[], Any], seconds: float = 90) -> Any:
    """What the condition says once it says something; fails after the deadline."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing after {seconds} s")
        time.sleep(0.02)
    return found
