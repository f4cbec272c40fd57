"""The quick estimate: what must hold for every model, batch and setting."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luthier.presets.catalog import ModelEntry, models
from luthier.presets.memory import (
    GIB,
    Correction,
    DeviceFacts,
    Estimate,
    Lengths,
    Measurement,
    ModelShape,
    Workload,
    estimate,
    model_shape,
    quick_estimate,
)
from luthier.presets.memory.architectures import shape_of_config
from luthier.presets.memory.sentences import counted
from luthier.trainers.spec.file import build_spec

GPU = DeviceFacts(kind="cuda", name="NVIDIA A100", bf16=True)
CPU = DeviceFacts(kind="cpu", bf16=False)


@st.composite
def shapes(draw: st.DrawFn) -> ModelShape:
    size = draw(st.sampled_from([32, 64, 128]))
    kv_heads = draw(st.integers(1, 8))
    heads = kv_heads * draw(st.integers(1, 4))
    config = {
        "model_type": draw(
            st.sampled_from(["llama", "qwen2", "qwen3", "mistral", "gemma", "phi3"])
        ),
        "hidden_size": heads * size,
        "head_dim": size,
        "intermediate_size": heads * size * draw(st.integers(2, 4)),
        "num_hidden_layers": draw(st.integers(2, 40)),
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "vocab_size": draw(st.integers(1000, 200_000)),
        "tie_word_embeddings": draw(st.booleans()),
        "dtype": draw(st.sampled_from(["bfloat16", "float32"])),
    }
    return shape_of_config(config, "drawn")


@st.composite
def workloads(draw: st.DrawFn) -> Workload:
    method = draw(st.sampled_from(["none", "lora", "dora", "ia3"]))
    return Workload(
        task=draw(st.sampled_from(["llm-sft", "llm-generic", "llm-dpo"])),
        method=method,
        rank=draw(st.sampled_from([4, 16, 64])),
        dropout=draw(st.booleans()),
        dtype=draw(st.sampled_from(["bfloat16", "float32"])),
        precision=draw(st.sampled_from(["no", "bf16"])),
        attention=draw(st.sampled_from(["sdpa", "eager", "flash_attention_2"])),
        optimizer=draw(
            st.sampled_from(
                [
                    "adamw_torch_fused",
                    "adamw_torch",
                    "adamw_8bit",
                    "adafactor",
                    "sgd",
                    "paged_adamw_8bit",
                ]
            )
        ),
        batch=draw(st.integers(1, 32)),
        accumulation=draw(st.sampled_from([1, 4])),
        length=draw(st.integers(16, 8192)),
        packing=draw(st.sampled_from(["no", "bfd"])),
        even=draw(st.booleans()),
        checkpointing=draw(st.booleans()),
    )


def total(work: Workload, shape: ModelShape, device: DeviceFacts = GPU) -> int:
    return estimate(work, shape, device).total


@given(shapes(), workloads(), st.sampled_from([GPU, CPU]), st.integers(1, 8))
@settings(deadline=None, max_examples=150)
def test_more_rows_or_longer_rows_never_take_less(
    shape: ModelShape, work: Workload, device: DeviceFacts, more: int
) -> None:
    before = total(work, shape, device)
    assert total(replace(work, batch=work.batch + more), shape, device) >= before
    assert total(replace(work, length=work.length + 64 * more), shape, device) >= before


@given(shapes(), workloads(), st.sampled_from([GPU, CPU]))
@settings(deadline=None, max_examples=150)
def test_checkpointing_never_keeps_more_tensors(
    shape: ModelShape, work: Workload, device: DeviceFacts
) -> None:
    plain = estimate(replace(work, checkpointing=False), shape, device)
    recomputed = estimate(replace(work, checkpointing=True), shape, device)
    # Parts are rounded to whole bytes one by one; and with adapters, recomputation starts from the
    # embedded rows, whose gradient nobody needs but which is made.
    embedded = 0 if work.method == "none" else work.sequences * work.length * shape.hidden * 4
    assert recomputed.tensors <= plain.tensors + len(plain.parts) + embedded


@given(shapes(), workloads())
@settings(deadline=None, max_examples=100)
def test_four_bits_take_less_than_sixteen(shape: ModelShape, work: Workload) -> None:
    lora = replace(work, method="lora", dtype="bfloat16")
    double = replace(lora, quantisation="nf4", double_quantisation=True)
    single = replace(double, double_quantisation=False)
    # Tensors only: bitsandbytes itself takes some memory, which a tiny model does not save.
    sixteen, plain, nested = (estimate(one, shape, GPU).tensors for one in (lora, single, double))
    assert nested < plain < sixteen


@given(shapes(), workloads(), st.sampled_from([("fsdp", 3), ("deepspeed", 1), ("deepspeed", 2),
                                               ("deepspeed", 3)]))  # fmt: skip
@settings(deadline=None, max_examples=100)
def test_more_shards_never_take_more(
    shape: ModelShape, work: Workload, strategy: tuple[str, int]
) -> None:
    name, stage = strategy
    sharded = [
        total(replace(work, strategy=name, zero_stage=stage, processes=count), shape)
        for count in (2, 4, 8)
    ]
    assert sharded == sorted(sharded, reverse=True)


@given(shapes(), workloads())
@settings(deadline=None, max_examples=100)
def test_cheaper_optimizers_hold_less(shape: ModelShape, work: Workload) -> None:
    held = [
        estimate(replace(work, optimizer=name), shape, GPU).part("optimizer")
        for name in ("paged_adamw_32bit", "sgd", "lion_8bit", "adamw_8bit", "ademamix_8bit")
    ]
    assert held[0] == held[1] == 0
    assert held[2] <= held[3] <= held[4]


@given(shapes(), workloads(), st.sampled_from([GPU, CPU, DeviceFacts(kind="qaic", bf16=False)]))
@settings(deadline=None, max_examples=100)
def test_the_interval_holds_the_point_and_the_parts_add_up(
    shape: ModelShape, work: Workload, device: DeviceFacts
) -> None:
    found = estimate(work, shape, device)
    assert 0 < found.low <= found.total <= found.high
    assert sum(part.bytes for part in found.parts) == found.total
    assert all(part.bytes > 0 and part.why.endswith(".") for part in found.parts)
    assert Estimate.from_dict(found.as_dict()) == found


@given(st.lists(st.floats(0.7, 1.5), min_size=1, max_size=40))
@settings(deadline=None, max_examples=100)
def test_a_correction_moves_the_total_and_keeps_it_inside(ratios: list[float]) -> None:
    shape = model_shape("HuggingFaceTB/SmolLM2-135M")
    plain = estimate(Workload(), shape, GPU)
    runs = [Measurement(plain.total, round(plain.total * ratio)) for ratio in ratios]
    correction = Correction.learn(runs, "NVIDIA A100")
    assert correction is not None
    found = estimate(Workload(), shape, GPU, correction)
    assert found.low <= found.total <= found.high
    assert found.uncorrected == plain.total
    assert found.source == "history"
    assert "NVIDIA A100" in found.basis


def test_every_optimizer_that_a_spec_allows_is_known() -> None:
    from typing import get_args

    from luthier.trainers.spec import TrainingSection

    names = get_args(TrainingSection.model_fields["optim"].annotation)
    shape = model_shape("meta-llama/Llama-3.1-8B")
    billions = shape.parameters
    held = {
        name: estimate(replace(Workload(method="none"), optimizer=name), shape, GPU)
        for name in names
    }
    # bfloat16 weights: torch's averages have their type, bitsandbytes' 32 or 8 bits.
    expected = {"adamw_torch": 4, "adamw_torch_fused": 4, "rmsprop": 2, "adagrad": 2, "sgd": 0,
                "lion_32bit": 4, "ademamix": 12}  # fmt: skip
    for name, width in expected.items():
        assert held[name].part("optimizer") == pytest.approx(width * billions, rel=1e-6), name
    for name in names:
        if name.startswith("paged"):
            assert held[name].part("optimizer") == 0
            assert held[name].host_bytes > billions
    # The embedding's states stay in 32 bits.
    wide = 8 * shape.embeddings
    assert held["adamw_8bit"].part("optimizer") == pytest.approx(
        2 * (billions - shape.embeddings) + wide, rel=0.03
    )
    assert held["adafactor"].part("optimizer") < 0.01 * billions


def test_a_spec_and_its_workload_give_the_same_estimate() -> None:
    spec = build_spec(
        {
            "task": "llm-sft",
            "model": {"name_or_path": "meta-llama/Llama-3.1-8B", "load_in_4bit": True},
            "data": {"path": "rows.jsonl"},
            "training": {"max_length": 2048, "gradient_checkpointing": True,
                         "per_device_train_batch_size": 2},
        },
        source="test",
    )  # fmt: skip
    shape = model_shape(spec.model.name_or_path)
    lengths = Lengths.of([100, 600, 900])
    short = quick_estimate(spec, shape, GPU, lengths)
    long = quick_estimate(spec, shape, GPU)
    assert short == estimate(Workload.of(spec, shape, GPU, lengths), shape, GPU)
    assert Workload.of(spec, shape, GPU, lengths).length == 900
    assert short.total < long.total
    assert 5 * GIB < long.total < 11 * GIB
    assert "4 bits" in long.parts[0].why


def test_lora_ranks_count_exactly() -> None:
    """peft's own figures for Llama 3.1 8B with rank 16: all linear modules, and attention's two."""
    from luthier.presets.memory.states import trained

    shape = model_shape("meta-llama/Llama-3.1-8B")
    assert trained(shape, Workload(rank=16)).numbers == 41_943_040
    pair = Workload(rank=16, targets=("q_proj", "v_proj"))
    assert trained(shape, pair).numbers == 6_815_744
    whole = Workload(rank=16, saved_modules=("lm_head",))
    assert trained(shape, whole).numbers == 41_943_040 + 128256 * 4096


@pytest.mark.parametrize("entry", models(), ids=[entry.id for entry in models()])
def test_every_listed_model_can_be_estimated(entry: ModelEntry) -> None:
    shape = model_shape(entry.id)
    work = Workload(task=entry.tasks[0], batch=1, length=128, dtype=shape.dtype)
    for device in (GPU, CPU):
        for method in ("none", "lora"):
            found = estimate(replace(work, method=method), shape, device)
            assert found.part("weights") > shape.parameters
            assert found.total < 60 * shape.parameters + 4 * GIB


# Parts of models that see, and losses that take a batch in pieces

PARTS = ("language", "projector", "vision")
SEEING = [entry for entry in models() if "vlm-vqa" in entry.tasks]
EMBEDDING = [entry for entry in models() if "st-pair" in entry.tasks]


@given(
    st.sampled_from(SEEING),
    st.sets(st.sampled_from(PARTS), min_size=1),
    st.sampled_from(["none", "lora", "dora"]),
    st.booleans(),
)
@settings(deadline=None, max_examples=100)
def test_more_parts_never_take_less(
    entry: ModelEntry, parts: set[str], method: str, recompute: bool
) -> None:
    shape = shape_of_config(entry.config, entry.id)
    work = Workload(
        task="vlm-vqa", method=method, batch=2, length=2048, checkpointing=recompute,
        parts=tuple(sorted(parts)),
    )  # fmt: skip
    some = estimate(work, shape, GPU)
    more = estimate(replace(work, parts=PARTS), shape, GPU)
    # Parts of the bill are rounded one by one.
    assert some.tensors <= more.tensors + len(more.parts)
    everything = estimate(replace(work, parts=()), shape, GPU)
    assert everything.tensors == more.tensors


@pytest.mark.parametrize("entry", SEEING, ids=lambda entry: entry.id)
def test_what_is_not_trained_has_no_optimizer(entry: ModelEntry) -> None:
    shape = shape_of_config(entry.config, entry.id)

    def states(*parts: str) -> int:
        work = Workload(task="vlm-vqa", method="none", length=2048, parts=parts)
        return estimate(work, shape, GPU).part("optimizer")

    each = [states(part) for part in PARTS]
    assert all(0 < one < states(*PARTS) for one in each)
    assert sum(each) == pytest.approx(states(*PARTS), rel=0.01)


@given(
    st.sampled_from(EMBEDDING),
    st.integers(1, 512),
    st.integers(1, 64),
    st.booleans(),
    st.sampled_from(["none", "lora"]),
)
@settings(deadline=None, max_examples=100)
def test_the_cached_loss_holds_a_piece_of_the_batch(
    entry: ModelEntry, batch: int, chunk: int, recompute: bool, method: str
) -> None:
    shape = shape_of_config(entry.config, entry.id)
    plain = Workload(
        task="st-pair", method=method, batch=batch, copies=2, length=128, checkpointing=recompute
    )
    cached = replace(plain, chunk=chunk)
    # Gradients of earlier pieces stay, as they do where passes are accumulated.
    most = estimate(replace(plain, accumulation=2), shape, GPU).tensors
    held = estimate(cached, shape, GPU).tensors
    assert held <= most + 8
    assert held <= estimate(replace(cached, chunk=2 * chunk), shape, GPU).tensors + 8
    if batch > chunk:
        twice = estimate(replace(cached, batch=2 * batch), shape, GPU).tensors
        # All that grows is the table of similarities.
        assert twice - held <= 4 * 3 * 4 * chunk * batch


def test_the_cached_loss_is_read_from_the_spec() -> None:
    values = {
        "task": "st-pair",
        "model": {"name_or_path": EMBEDDING[0].id},
        "data": {"path": "rows.jsonl"},
        "training": {"loss": "cached-multiple-negatives-ranking", "mini_batch_size": 16},
    }
    shape = model_shape(EMBEDDING[0].id)
    work = Workload.of(build_spec(values), shape, GPU)  # type: ignore[arg-type]
    assert (work.chunk, work.sequences) == (16, min(16, work.batch))


def test_texts_that_are_written_are_as_long_as_they_may_be() -> None:
    values = {
        "task": "llm-grpo",
        "model": {"name_or_path": "Qwen/Qwen3-0.6B"},
        "data": {"path": "rows.jsonl"},
        "training": {"max_completion_length": 200},
    }
    shape = model_shape("Qwen/Qwen3-0.6B")

    def length(lengths: Lengths | None = None, **more: int) -> int:
        changed = {**values, "training": {"max_completion_length": 200, **more}}
        return Workload.of(build_spec(changed), shape, GPU, lengths).length  # type: ignore[arg-type]

    assert length() == 200 + 512
    assert length(max_prompt_length=100) == 300
    assert length(Lengths.of([20, 60])) == 260


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (8.03e9, "8.03 billion"),
        (999_900_000, "1.00 billion"),
        (22.7e6, "22.7 million"),
        (7_616_000_000, "7.62 billion"),
        (460_123, "460 thousand"),
        (12, "12"),
    ],
)
def test_numbers_are_said_in_three_digits(number: float, words: str) -> None:
    assert counted(number) == words


def test_another_model_that_is_held_is_counted() -> None:
    values = {"task": "llm-distill", "model": {"name_or_path": "Qwen/Qwen3-0.6B"},
              "data": {"path": "rows.jsonl"}}  # fmt: skip
    shape = model_shape("Qwen/Qwen3-0.6B")

    def weights(teacher: str) -> Estimate:
        training = {"teacher_model_name_or_path": teacher}
        spec = build_spec({**values, "training": training})
        return quick_estimate(spec, shape, GPU)  # type: ignore[arg-type]

    small, large = weights("Qwen/Qwen3-0.6B"), weights("Qwen/Qwen3-4B")
    assert large.part("weights") > 3 * small.part("weights") > 6 * 0.9 * shape.parameters
    unknown = weights("nobody/nothing")
    assert unknown.part("weights") < small.part("weights")
    assert any("nobody/nothing is held" in note for note in unknown.notes)


@given(shapes(), workloads(), st.floats(0.7, 1.5))
@settings(deadline=None, max_examples=50)
def test_corrected_parts_add_up(shape: ModelShape, work: Workload, factor: float) -> None:
    plain = estimate(work, shape, GPU)
    pairs = [Measurement(estimated=plain.total, measured=int(plain.total * factor))] * 3
    found = estimate(work, shape, GPU, Correction.learn(pairs, device="a card"))
    assert sum(part.bytes for part in found.parts) == found.total
