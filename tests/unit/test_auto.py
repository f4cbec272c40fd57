"""Auto: the same as trying everything, never what does not fit, and sentences that are true."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

import pytest

from luthier.presets import Library, find_preset
from luthier.presets.auto import Host, KnownModel, Tools, alternatives, nearest, solve
from luthier.presets.auto.problem import Choice, Problem
from luthier.presets.auto.search import search, smallest
from luthier.presets.catalog import models
from luthier.presets.memory import GIB, Correction, DeviceFacts, Lengths, ModelShape
from luthier.presets.memory.architectures import shape_of_config
from luthier.trainers.errors import LuthierError
from luthier.trainers.registry import find_task, tasks
from luthier.trainers.spec import GradientSpec
from luthier.trainers.spec.file import build_spec

# hidden, layers, heads, key-value heads, feed-forward, vocabulary: 0.1 to 70 billion parameters.
SIZES = {
    "0.1b": (576, 30, 9, 3, 1536, 49152),
    "0.4b": (960, 32, 15, 5, 2560, 49152),
    "0.5b": (896, 24, 14, 2, 4864, 151936),
    "1b": (2048, 16, 32, 8, 8192, 128256),
    "1.1b": (2048, 22, 32, 4, 5632, 32000),
    "1.5b": (1536, 28, 12, 2, 8960, 151936),
    "1.7b": (2048, 24, 32, 32, 8192, 49152),
    "2b": (2304, 26, 8, 4, 9216, 256000),
    "3b": (3072, 28, 24, 8, 8192, 128256),
    "3.8b": (3072, 32, 32, 32, 8192, 32064),
    "4b": (2560, 36, 32, 8, 9728, 151936),
    "7b": (4096, 32, 32, 32, 11008, 32000),
    "7.2b": (4096, 32, 32, 8, 14336, 32000),
    "7.6b": (3584, 28, 28, 4, 18944, 152064),
    "8b": (4096, 32, 32, 8, 14336, 128256),
    "9b": (3584, 42, 16, 8, 14336, 256000),
    "12b": (5120, 40, 32, 8, 14336, 131072),
    "14b": (5120, 48, 40, 8, 13824, 152064),
    "32b": (5120, 64, 40, 8, 27648, 152064),
    "70b": (8192, 80, 64, 8, 28672, 128256),
}
CARDS = (8, 16, 24, 48, 80)
LENGTHS = (512, 1024, 2048, 4096, 8192)
METHODS = ("lora", "full")
COUNTS = (1, 4)
VALUES = {"model": {"name_or_path": "some/model"}, "data": {"path": "rows.jsonl"}}


@cache
def shape_of(size: str) -> ModelShape:
    hidden, layers, heads, kv_heads, inner, vocabulary = SIZES[size]
    config = {
        "model_type": "llama",
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "intermediate_size": inner,
        "vocab_size": vocabulary,
        "max_position_embeddings": 131072,
        "torch_dtype": "bfloat16",
    }
    return shape_of_config(config, size)


def card(gigabytes: float, count: int = 1, kind: Any = "cuda") -> DeviceFacts:
    size = int(gigabytes * GIB)
    return DeviceFacts(kind, f"{gigabytes:g} GB card", size, size, count, bf16=kind != "qaic")


def spec_of(preset: str = "llm-sft/balanced", **sections: Any) -> GradientSpec:
    spec = find_preset(preset).apply({**VALUES, **sections})
    assert isinstance(spec, GradientSpec)
    return spec


@dataclass(frozen=True)
class Case:
    size: str
    length: int
    method: str
    count: int

    def problem(self) -> Problem:
        preset = {"lora": "llm-sft/balanced", "full": "llm-sft/full"}[self.method]
        spec = spec_of(preset, training={"max_length": self.length})
        tools = Tools(deepspeed=True)
        return Problem(spec, shape_of(self.size), card(80, self.count), tools=tools)


def everything(problem: Problem) -> Iterator[tuple[int, Choice]]:
    """Every choice there is, with the number of its level of concessions."""
    for number, level in enumerate(problem.levels):
        for sharing, recompute in product(problem.sharings, problem.checkpointings):
            if problem.possible(level, sharing):
                for batch in problem.batches(sharing):
                    yield number, problem.choice(level, sharing, recompute, batch)


def prove(case: Case) -> int:
    """Compare with the exhaustive search on every card; returns how many comparisons."""
    problem = case.problem()
    # Both searches estimate the same choices; each is estimated once.
    problem.choice = cache(problem.choice)  # type: ignore[method-assign]
    tried = list(everything(problem))
    for gigabytes in CARDS:
        free = gigabytes * GIB
        found = search(problem, free)
        fitting = [(n, c.seconds) for n, c in tried if c.estimate.fits(free)]
        if not fitting:
            assert found is None, f"{case} on {gigabytes} GB: {found}"
            continue
        assert found is not None, f"{case} on {gigabytes} GB fits and was not found"
        assert found.estimate.high <= free
        number = problem.levels.index(found.level)
        assert (number, found.seconds) == min(fitting), f"{case} on {gigabytes} GB"
    return len(CARDS)


GRID = [Case(*each) for each in product(SIZES, LENGTHS, METHODS, COUNTS)]


def test_auto_chooses_as_an_exhaustive_search_does_on_some_of_the_grid() -> None:
    assert sum(map(prove, GRID[::47])) >= 45


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_auto_chooses_as_an_exhaustive_search_does_on_two_thousand_cases() -> None:
    assert sum(map(prove, GRID)) == 2000


@pytest.mark.parametrize("gigabytes", CARDS)
@pytest.mark.parametrize("preset", ["llm-sft/balanced", "llm-sft/full", "llm-generic/balanced"])
@pytest.mark.parametrize("size", ["0.1b", "3b", "8b", "70b"])
def test_what_holds_and_what_the_spec_says(size: str, preset: str, gigabytes: int) -> None:
    spec = spec_of(preset)
    found = solve(spec, shape_of(size), card(gigabytes, 4))
    assert isinstance(found.spec, GradientSpec)
    before, after = spec.training, found.spec.training
    processes = found.spec.launch.processes
    rows = after.per_device_train_batch_size * after.gradient_accumulation_steps * processes
    assert rows == before.per_device_train_batch_size * before.gradient_accumulation_steps
    assert after.num_train_epochs == before.num_train_epochs
    assert after.learning_rate == before.learning_rate
    assert found.spec.peft.method == spec.peft.method
    assert found.fits == (found.estimate.high <= found.free)
    values = spec.model_dump(mode="json")
    for section, settings in found.settings.items():
        values[section] |= settings
    assert build_spec(values) == found.spec
    told = {step.key for step in found.steps}
    assert told == {f"{name}.{key}" for name, each in found.settings.items() for key in each}


def test_every_step_is_a_sentence_with_its_reason() -> None:
    found = solve(spec_of(), shape_of("8b"), card(8))
    sentences = [step.sentence for step in found.steps]
    assert found.fits
    forced = next(each for each in sentences if each.startswith("load_in_4bit"))
    assert "off → on because" in forced
    assert "8.0 GiB are free" in forced
    for sentence in sentences:
        assert " → " in sentence
        assert "because" in sentence or "so that" in sentence
        assert sentence.endswith(".")


def test_a_claim_of_not_fitting_is_true() -> None:
    spec = spec_of()
    found = solve(spec, shape_of("8b"), card(8))
    batch = next(step for step in found.steps if step.key.endswith("train_batch_size"))
    larger = {**found.spec.model_dump(mode="json")}
    larger["training"]["per_device_train_batch_size"] = batch.before
    larger["training"]["gradient_accumulation_steps"] = 16 // batch.before
    keep = frozenset(
        {
            "training.per_device_train_batch_size",
            "training.gradient_checkpointing",
            "model.load_in_4bit",
            "training.optim",
            "training.max_length",
            "peft.r",
        }
    )
    assert not solve(build_spec(larger), shape_of("8b"), card(8), keep=keep).fits


def test_with_room_nothing_that_changes_the_result_is_touched() -> None:
    found = solve(spec_of(), shape_of("1b"), card(80))
    assert found.fits
    changed = {step.key for step in found.steps}
    assert not changed & {"peft.r", "training.max_length", "model.load_in_4bit", "training.optim"}
    assert not found.spec.training.gradient_checkpointing  # type: ignore[attr-defined]


def test_free_memory_counts_and_not_the_total() -> None:
    half_used = DeviceFacts("cuda", "shared card", 80 * GIB, 20 * GIB)
    found = solve(spec_of(), shape_of("8b"), half_used)
    assert found.fits
    assert found.estimate.high <= 20 * GIB
    assert found.free == 20 * GIB


def test_a_correction_moves_the_choice() -> None:
    bad = Correction(factor=1.5, low=0.9, high=1.1, runs=3)
    plain = solve(spec_of(), shape_of("8b"), card(24))
    careful = solve(spec_of(), shape_of("8b"), card(24), correction=bad)
    assert careful.fits
    assert careful.estimate.total <= 24 * GIB
    assert careful.spec != plain.spec


def test_short_rows_need_no_shorter_limit() -> None:
    short = Lengths.of([100] * 1000)
    spec = spec_of(training={"max_length": 8192})
    found = solve(spec, shape_of("8b"), card(10), lengths=short)
    assert found.fits
    assert "training.max_length" not in {step.key for step in found.steps}


def test_a_cut_says_how_many_rows_it_costs() -> None:
    rows = Lengths.of([500] * 90 + [16000] * 10)
    spec = spec_of("llm-sft/full", training={"max_length": 16384, "optim": "sgd"})
    problem = Problem(spec, shape_of("3b"), card(80), rows)
    whole, half = (
        min(choice.estimate.high for choice in smallest(problem, level))
        for level in (problem.levels[0], next(p for p in problem.levels if p.length < 9000))
    )
    assert half < whole
    found = solve(spec, shape_of("3b"), card((half + whole) / 2 / GIB), lengths=rows)
    assert found.fits
    cut = next(step for step in found.steps if step.key == "training.max_length")
    assert "About 10% of the rows are cut." in cut.sentence
    assert "even the smallest step takes up to" in cut.sentence


def test_what_is_kept_stays() -> None:
    keep = frozenset({"model.load_in_4bit", "training.per_device_train_batch_size"})
    found = solve(spec_of(), shape_of("8b"), card(16), keep=keep)
    assert not keep & {step.key for step in found.steps}
    assert not found.fits


def test_qaic_cards_get_fp16_and_fixed_shapes_and_no_bitsandbytes() -> None:
    spec = spec_of("llm-sft/smallest-memory")
    found = solve(spec, shape_of("1b"), card(30, kind="qaic"))
    assert isinstance(found.spec, GradientSpec)
    assert found.fits
    assert found.spec.launch.precision == "fp16"
    assert found.spec.model.dtype == "float16"
    assert not found.spec.model.load_in_4bit
    assert found.spec.training.optim == "adamw_torch"
    assert found.spec.training.dataloader_drop_last
    assert found.spec.training.packing  # type: ignore[attr-defined]
    assert found.spec.training.packing_strategy == "wrapped"  # type: ignore[attr-defined]
    again = solve(found.spec, shape_of("1b"), card(30, kind="qaic"))
    assert again.steps == ()


def test_a_card_without_bf16_gets_fp16() -> None:
    old = DeviceFacts("cuda", "Tesla T4", 15 * GIB, 15 * GIB, bf16=False)
    found = solve(spec_of(), shape_of("1b"), old)
    assert isinstance(found.spec, GradientSpec)
    assert found.spec.launch.precision == "fp16"
    assert found.spec.model.dtype == "float16"


def test_without_bitsandbytes_nothing_needs_it() -> None:
    tools = Tools(bitsandbytes=False)
    found = solve(spec_of("llm-sft/smallest-memory"), shape_of("1b"), card(24), tools=tools)
    assert isinstance(found.spec, GradientSpec)
    assert not found.spec.model.load_in_4bit
    assert found.spec.training.optim == "adamw_torch_fused"


def test_several_cards_share_what_one_cannot_hold() -> None:
    alone = solve(spec_of("llm-sft/full"), shape_of("8b"), card(48))
    together = solve(spec_of("llm-sft/full"), shape_of("8b"), card(48, 8))
    assert isinstance(together.spec, GradientSpec)
    assert together.fits
    assert together.spec.launch.processes > 1
    assert together.faster > alone.faster


def test_three_cards_do_not_break_the_effective_batch() -> None:
    found = solve(spec_of(), shape_of("1b"), card(24, 3))
    assert isinstance(found.spec, GradientSpec)
    assert found.spec.launch.processes == 2


def test_the_nearest_that_fits_is_named() -> None:
    spec, shape, device = spec_of("llm-sft/full"), shape_of("8b"), card(10)
    found = solve(spec, shape, device)
    assert not found.fits
    assert found.missing > 0
    ways = nearest(
        found,
        device,
        shape,
        models=[
            KnownModel("big/14b", shape_of("14b"), cached=True),
            KnownModel("mine/0.1b", shape_of("0.1b"), cached=True),
            KnownModel("listed/0.5b", shape_of("0.5b")),
        ],
        hosts=[Host("small", card(12)), Host("large", card(80, 8)), Host("larger", card(141, 8))],
    )
    kinds = {way.kind: way for way in ways}
    assert kinds["method"].settings["peft"] == {"method": "lora"}
    assert "the host large (8 x 80 GB card" in kinds["host"].sentence
    models = [way.sentence for way in ways if way.kind == "model"]
    assert models[0].startswith("mine/0.1b would fit")
    assert "on this machine" in models[0]
    assert "from the model list" in models[1]
    assert "GiB are missing" in ways[-1].sentence


def test_every_llm_preset_can_be_fitted() -> None:
    for preset in Library().presets("llm-sft"):
        kind = (preset.suits.devices or ["cuda"])[0]
        most = preset.suits.parameters[0] if preset.suits.parameters else 1
        size = "70b" if most > 40 else "1b"
        found = solve(preset.apply(VALUES), shape_of(size), card(80, kind=kind))
        assert found.fits, preset.name


def test_unknown_memory_is_asked_for() -> None:
    with pytest.raises(LuthierError, match="--memory"):
        solve(spec_of(), shape_of("1b"), DeviceFacts("cuda", "unknown card"))


# Every task

GRADIENT = [task.id for task in tasks().values() if issubclass(task.spec, GradientSpec)]


@pytest.mark.parametrize("task", GRADIENT)
def test_what_auto_chooses_is_a_spec_of_the_task(task: str) -> None:
    entries = [entry for entry in models() if task in entry.tasks]
    sizes = sorted(entries, key=lambda entry: entry.parameters or 0)
    for entry in (sizes[0], sizes[-1]):
        shape = shape_of_config(entry.config, entry.id)
        values: dict[str, Any] = {
            "task": task,
            "model": {"name_or_path": entry.id},
            "data": {"path": "rows.jsonl"},
        }
        if task == "llm-distill":
            values["training"] = {"teacher_model_name_or_path": entry.id}
        for method, gigabytes in product(("none", "lora"), (1, *CARDS)):
            spec = build_spec({**values, "peft": {"method": method}})
            found = solve(spec, shape, card(gigabytes))
            kept = build_spec(found.spec.model_dump(mode="json"))
            assert isinstance(kept, GradientSpec)
            if find_task(task).family == "image":
                assert not kept.model.load_in_4bit
            for each in alternatives(kept, shape, card(gigabytes)):
                _built(kept, each.settings)


def _built(spec: GradientSpec, sections: Any) -> None:
    """As a person does who takes an alternative. Raises SpecError."""
    changed = spec.model_dump(mode="json")
    for section, values in sections.items():
        changed[section] = {**changed[section], **values}
    build_spec(changed)


def test_pictures_are_not_trained_in_four_bits() -> None:
    values = {"model": {"name_or_path": "m", "load_in_4bit": True}, "data": {"path": "d"}}
    with pytest.raises(LuthierError, match="cannot be quantised"):
        build_spec({**values, "task": "image-classification", "peft": {"method": "lora"}})
