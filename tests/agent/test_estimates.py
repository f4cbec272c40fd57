"""Estimates, Auto and presets over the API of a real agent."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from luthier.agent.client import Client
from luthier.agent.errors import RefusedError
from luthier.agent.models import DeviceWish
from luthier.agent.paths import Home
from luthier.presets import find_preset
from luthier.trainers import demo
from luthier.trainers.spec.file import parse_spec

from .conftest import RealAgent

GIB = 1024**3
# Made like Llama 3.1 8B.
LARGE = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 14336,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
    "torch_dtype": "bfloat16",
}


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealAgent]:
    """One agent for all questions, which change nothing but one's own presets."""
    found = RealAgent(Home(tmp_path_factory.mktemp("estimates") / "home"))
    found.write_settings()
    found.start(HF_HUB_OFFLINE="1")
    yield found
    found.end_everything()


@pytest.fixture
def asked(agent: RealAgent) -> Client:
    """A client of it."""
    return agent.client


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A folder that holds the configuration of a large model."""
    folder = tmp_path / "large"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(LARGE))
    return folder


def spec_of(model: Path, **sections: Any) -> dict[str, Any]:
    """A spec whose data is not there, which does not matter for memory."""
    return {
        "task": "llm-sft",
        "model": {"name_or_path": str(model)},
        "data": {"path": "rows.jsonl"},
        **sections,
    }


def card(gigabytes: float, count: int = 1) -> DeviceWish:
    return DeviceWish(memory=gigabytes, kind="cuda", count=count)


def test_an_estimate_adds_up_and_names_its_device(asked: Client, large: Path) -> None:
    found = asked.estimate(spec_of(large), device=card(24))
    estimate = found.estimate
    assert sum(part.bytes for part in estimate.parts) == pytest.approx(estimate.total, rel=1e-6)
    assert estimate.low <= estimate.total <= estimate.high
    assert estimate.source == "quick"
    assert {"weights", "adapter", "activations"} <= {part.key for part in estimate.parts}
    assert all(part.why.endswith(".") for part in estimate.parts)
    assert found.parameters == pytest.approx(8.03e9, rel=0.01)
    assert (found.device.free, found.device.count) == (24 * GIB, 1)
    assert found.fits == (estimate.high <= 24 * GIB)
    assert found.rows is None
    assert "not measured" in found.notes[0]


def test_time_costs_what_the_host_costs(tmp_path: Path) -> None:
    data = tmp_path / "rows.jsonl"
    data.write_text('{"prompt": "May 5 1999", "completion": "1999-05-05"}\n' * 8)
    agent = RealAgent(Home(tmp_path / "home"))
    agent.write_settings(price_per_hour=3.6, currency="EUR")
    agent.start(HF_HUB_OFFLINE="1")
    try:
        spec = spec_of(demo.MODEL, data={"path": str(data)}, launch={"devices": "cpu"})
        length = agent.client.estimate(spec, data="measure").duration
    finally:
        agent.end_everything()
    assert length is not None
    assert (length.source, length.currency) == ("guess", "EUR")
    assert length.cost == pytest.approx(length.seconds * 0.001)


def test_another_host_keeps_its_own_price(asked: Client, agent: RealAgent) -> None:
    asked.hosts.add("box", "me@127.0.0.1:1", price_per_hour=2.5, currency="EUR")
    asked.hosts.add("box", "me@127.0.0.1:2")
    (file,) = (agent.home.path / "hosts").glob("box.*")
    kept = json.loads(file.read_text())
    assert (kept["price_per_hour"], kept["currency"]) == (2.5, "EUR")
    told = asked.hosts.get("box")
    assert (told.price_per_hour, told.currency) == (2.5, "EUR")
    asked.hosts.remove("box", clean=False)


def test_the_hosts_own_memory_counts_without_a_wish(asked: Client) -> None:
    found = asked.estimate(spec_of(demo.MODEL, launch={"devices": "cpu"}))
    report = asked.hardware()
    assert (found.device.kind, found.device.host) == ("cpu", "local")
    assert found.device.total == report.memory_total
    assert 0 < found.device.free <= report.memory_total
    limited = asked.estimate(spec_of(demo.MODEL, launch={"devices": "cpu", "memory_limit": 1}))
    assert limited.device.free == GIB


def test_what_is_offered_instead_makes_it_smaller(asked: Client, large: Path) -> None:
    found = asked.estimate(spec_of(large), device=card(16))
    assert not found.fits
    assert {each.title for each in found.alternatives} >= {
        "recompute activations",
        "base model in 4 bits",
        "micro-batch 4",
    }
    for each in found.alternatives:
        assert each.high < found.estimate.high
        values = spec_of(large)
        for section, settings in each.settings.items():
            values[section] = {**values.get(section, {}), **settings}
        again = asked.estimate(values, device=card(16))
        assert (again.estimate.high, again.fits) == (each.high, each.fits)


def test_relative_models_are_found_from_the_working_directory(asked: Client, large: Path) -> None:
    values = spec_of(Path(large.name))
    found = asked.estimate(values, device=card(24), working_directory=large.parent)
    assert found.parameters == pytest.approx(8.03e9, rel=0.01)


def test_auto_makes_it_fit_and_says_why(asked: Client, large: Path) -> None:
    values = find_preset("llm-sft/balanced").apply(spec_of(large)).model_dump(mode="json")
    found = asked.fit(values, device=card(16))
    assert found.fits
    assert found.estimate.high <= 16 * GIB < found.before.high
    assert any("load_in_4bit off → on because" in step.sentence for step in found.steps)
    assert found.held == "Held: 16 rows to a step, 3 epochs, learning rate 0.0002."
    spec = parse_spec(found.yaml)
    assert spec.model_dump(mode="json") == found.spec
    again = asked.estimate(found.spec, device=card(16))
    assert again.fits
    assert again.estimate.total == found.estimate.total


def test_auto_keeps_what_it_is_told_to(asked: Client, large: Path) -> None:
    found = asked.fit(spec_of(large), device=card(16), keep=["model.load_in_4bit"])
    assert "model.load_in_4bit" not in {step.key for step in found.steps}


def test_when_nothing_fits_the_ways_out_are_named(asked: Client, large: Path) -> None:
    found = asked.fit(spec_of(large, peft={"method": "none"}), device=card(10))
    assert not found.fits
    assert found.missing > 0
    kinds = [way.kind for way in found.suggestions]
    assert kinds[0] == "method"
    assert kinds[-1] == "memory"
    assert "GiB are missing" in found.suggestions[-1].sentence


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"model": {"name_or_path": "nobody/nothing"}}, "nobody/nothing"),
        ({"task": "tabular-classification", "model": {}}, "loads no network"),
        ({"training": {"learning_rat": 1}}, "did you mean training.learning_rate"),
        ({"launch": {"devices": [7]}}, "The host local has no device 7"),
        ({"launch": {"host": "lab"}}, "There is no host 'lab'"),
    ],
)
def test_what_cannot_be_estimated_is_refused_in_a_sentence(
    asked: Client, large: Path, change: dict[str, Any], sentence: str
) -> None:
    for ask in (asked.estimate, asked.fit):
        with pytest.raises(RefusedError) as caught:
            ask({**spec_of(large), **change})
        assert sentence in str(caught.value)
        assert caught.value.status < 500


@pytest.mark.slow
def test_rows_are_measured_once_and_then_known(asked: Client, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(f'{{"text": "row {"long " * n}"}}\n' for n in range(1, 41)))
    values = spec_of(demo.MODEL, data={"path": str(rows)}, launch={"devices": "cpu"})
    assert asked.estimate(values).rows is None
    measured = asked.estimate(values, data="measure")
    assert measured.rows is not None
    assert measured.rows.rows > 0
    assert 1 < measured.rows.mean < measured.rows.longest
    known = asked.estimate(values)
    assert known.rows == measured.rows
    assert known.notes == []
    assert known.estimate.total <= asked.estimate(values, data="ignore").estimate.total


@pytest.mark.slow
def test_the_exact_estimate_comes_from_a_worker(asked: Client) -> None:
    values = spec_of(demo.MODEL, training={"max_length": 64})
    found = asked.estimate(values, exact=True, device=card(24), data="ignore")
    assert found.estimate.source == "exact"
    assert "tokens, counted in" in found.estimate.basis
    assert "pass" in found.estimate.peak or "step" in found.estimate.peak
    assert sum(part.bytes for part in found.estimate.parts) == found.estimate.total


@pytest.mark.slow
def test_without_an_exact_estimate_the_quick_one_says_why(asked: Client) -> None:
    values = spec_of(demo.MODEL, launch={"processes": 2, "strategy": "fsdp"})
    found = asked.estimate(values, exact=True, device=card(24), data="ignore")
    assert found.estimate.source == "quick"
    assert "since the exact one cannot be made: launch.strategy" in found.notes[-1]


@pytest.mark.slow
def test_a_worker_whose_client_goes_away_ends_and_nothing_waits_for_it(
    agent: RealAgent, large: Path, wait: Any
) -> None:
    assert agent.process is not None
    parent = psutil.Process(agent.process.pid)

    def workers() -> list[psutil.Process]:
        return [
            child
            for child in parent.children(recursive=True)
            if "luthier.trainers.estimating" in " ".join(child.cmdline())
        ]

    body = json.dumps({"spec": spec_of(large), "device": {"memory": 24}}).encode()
    head = f"POST /v1/estimate/exact HTTP/1.1\r\nHost: luthier\r\nContent-Length: {len(body)}\r\n"
    leaving = socket.socket(socket.AF_UNIX)
    leaving.connect(str(agent.home.socket))
    leaving.sendall(f"{head}Content-Type: application/json\r\n\r\n".encode() + body)
    wait(workers)
    assert agent.client.status().pid == parent.pid
    leaving.close()
    wait(workers, lambda found: not found)
    assert agent.client.estimate(spec_of(large), device=card(24)).estimate.source == "quick"


# -- presets ---------------------------------------------------------------------------------


def test_presets_are_listed_shown_copied_changed_checked_and_deleted(asked: Client) -> None:
    everything = asked.presets.all()
    assert {preset.task for preset in everything} >= {"llm-sft", "llm-generic"}
    assert all(preset.task == "llm-sft" for preset in asked.presets.all("llm-sft"))
    balanced = asked.presets.get("llm-sft/balanced")
    assert balanced.purpose
    assert not balanced.own
    mine = asked.presets.copy("llm-sft/balanced+llama", "mine")
    assert (mine.name, mine.own) == ("llm-sft/mine", True)
    assert mine.settings["peft"]["target_modules"][0] == "q_proj"
    text = asked.presets.text("llm-sft/mine")
    assert text.startswith("# From llm-sft/balanced+llama.")
    changed = asked.presets.write("llm-sft/mine", text.replace("r: 16", "r: 8"))
    assert changed.settings["peft"]["r"] == 8
    assert asked.presets.problems().model_dump() == {"checked": 1, "problems": []}
    asked.presets.remove("llm-sft/mine")
    with pytest.raises(RefusedError) as caught:
        asked.presets.get("llm-sft/mine")
    assert caught.value.status == 404


def test_what_cannot_be_done_to_presets_is_refused(asked: Client) -> None:
    for work, sentence in (
        (lambda: asked.presets.all("llm-stf"), "There is no task 'llm-stf'"),
        (lambda: asked.presets.get("llm-sft/balansed"), "Did you mean llm-sft/balanced?"),
        (lambda: asked.presets.copy("llm-sft/balanced", "A B"), "will not do"),
        (lambda: asked.presets.write("llm-sft/mine", "title: A"), "purpose is missing"),
        (lambda: asked.presets.remove("llm-sft/balanced"), "not yours to delete"),
    ):
        with pytest.raises(RefusedError) as caught:
            work()
        assert sentence in str(caught.value)
        assert caught.value.status < 500
