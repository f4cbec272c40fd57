"""The estimate against real models: what they keep of a pass, and what a worker's process takes."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.loading import load_module

from luthier.presets.memory import DeviceFacts, Workload
from luthier.presets.memory.activations import activations, layer_bytes, tokens
from luthier.presets.memory.architectures import shape_of_config

CPU = DeviceFacts(kind="cpu")
ROWS, LENGTH = 2, 64
COMMON = {"vocab_size": 100, "hidden_size": 64, "intermediate_size": 160, "num_attention_heads": 4}
GROUPED = {**COMMON, "num_key_value_heads": 2}
HEADS = {**GROUPED, "head_dim": 16}
T5 = {"vocab_size": 100, "d_model": 64, "d_kv": 16, "d_ff": 160, "num_heads": 4}


@dataclass(frozen=True)
class Family:
    """A family by its configuration class, and the names that its number of layers has."""

    config: str
    values: dict[str, Any]
    layers: tuple[str, ...] = ("num_hidden_layers",)
    attention: str = "sdpa"
    most: float = 0.01


FAMILIES = {
    "llama": Family("LlamaConfig", GROUPED),
    "qwen2": Family("Qwen2Config", GROUPED),
    "qwen3": Family("Qwen3Config", HEADS),
    "gemma": Family("GemmaConfig", HEADS),
    "gemma2": Family("Gemma2Config", HEADS, attention="eager"),
    "gemma3": Family("Gemma3TextConfig", HEADS),
    "phi3": Family("Phi3Config", {**COMMON, "num_key_value_heads": 4, "pad_token_id": 0}),
    "phi": Family("PhiConfig", {**COMMON, "num_key_value_heads": 4}, most=0.08),
    "olmo2": Family("Olmo2Config", {**COMMON, "num_key_value_heads": 4, "pad_token_id": 0}),
    "granite": Family("GraniteConfig", GROUPED),
    "gpt2": Family("GPT2Config", {"vocab_size": 100, "n_embd": 64, "n_head": 4}, ("n_layer",),
                   most=0.06),
    "gpt_neox": Family("GPTNeoXConfig", COMMON, most=0.06),
    "bert": Family("BertConfig", COMMON, most=0.08),
    "distilbert": Family("DistilBertConfig", {"vocab_size": 100, "dim": 64, "hidden_dim": 160,
                                              "n_heads": 4}, ("n_layers",), most=0.08),
    "t5": Family("T5Config", T5, ("num_layers", "num_decoder_layers"), most=0.09),
    "flan-t5": Family("T5Config", {**T5, "feed_forward_proj": "gated-gelu"},
                      ("num_layers", "num_decoder_layers"), most=0.09),
    "vit": Family("ViTConfig", {"hidden_size": 64, "intermediate_size": 160, "image_size": 64,
                                "num_attention_heads": 4, "patch_size": 8}),
}  # fmt: skip


def _configuration(family: Family, layers: int, **more: Any) -> Any:
    import transformers

    values = {**family.values, **dict.fromkeys(family.layers, layers), **more}
    return getattr(transformers, family.config)(**values)


def _kept(model: Any, inputs: dict[str, Any], *, autocast: bool) -> int:
    """Bytes that autograd keeps of a forward pass, the model's own tensors not counted."""
    import torch

    owned = [*model.parameters(), *model.buffers(), *inputs.values()]
    own = {tensor.untyped_storage().data_ptr() for tensor in owned}
    found: dict[int, tuple[int, Any]] = {}

    def pack(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            found[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    mixed = torch.autocast("cpu", dtype=torch.bfloat16) if autocast else nullcontext()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor), mixed:
        outputs = model(**inputs)
    total = sum(size for size, _ in found.values())
    del outputs
    return total


def _inputs(kind: str, dtype: Any) -> dict[str, Any]:
    import torch

    if kind == "vit":
        return {"pixel_values": torch.randn(ROWS, 3, 64, 64, dtype=dtype)}
    ids = torch.randint(3, 90, (ROWS, LENGTH))
    both = kind in ("t5", "flan-t5")
    return {"input_ids": ids} | ({"decoder_input_ids": ids.clone()} if both else {})


@pytest.mark.parametrize("precision", ["no", "bf16"])
@pytest.mark.parametrize("kind", FAMILIES)
def test_what_a_layer_keeps_is_counted(kind: str, precision: str) -> None:
    import torch
    from transformers import AutoModel

    family, work = FAMILIES[kind], Workload(
        method="none", dtype="float32", precision=precision, batch=ROWS, length=LENGTH, even=True
    )  # fmt: skip
    real = {}
    for layers in (2, 4):
        config = _configuration(family, layers)
        model = AutoModel.from_config(config, attn_implementation=family.attention).train()
        inputs = _inputs(kind, torch.float32)
        real[layers] = _kept(model, inputs, autocast=precision == "bf16")
    shape = shape_of_config({**config.to_dict(), "dtype": "float32"}, kind)
    counted = sum(tokens(one, work) * layer_bytes(one, work, CPU) for one in shape.stacks)
    counted += activations(shape, work, CPU).casts / shape.layers
    # Never more than a hundredth below.
    assert -0.01 < counted / ((real[4] - real[2]) / 2) - 1 < family.most


@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize("precision", ["no", "bf16"])
def test_what_adapters_keep_is_counted(precision: str, dropout: float) -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    work = Workload(
        method="lora", rank=8, dropout=dropout > 0, precision=precision, batch=ROWS,
        length=LENGTH, even=True, dtype="bfloat16",
    )  # fmt: skip
    real = {}
    for layers in (2, 4):
        config = _configuration(FAMILIES["llama"], layers)
        base = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
        adapter = LoraConfig(r=8, target_modules="all-linear", lora_dropout=dropout)
        model = get_peft_model(base, adapter).train()
        real[layers] = _kept(model, _inputs("llama", torch.bfloat16), autocast=precision == "bf16")
    shape = shape_of_config({**config.to_dict(), "dtype": "bfloat16"}, "llama")
    counted = tokens(shape, work) * layer_bytes(shape, work, CPU)
    counted += activations(shape, work, CPU).casts / shape.layers
    assert counted == pytest.approx((real[4] - real[2]) / 2, rel=0.01)


@pytest.fixture(scope="module")
def runs() -> ModuleType:
    """The benchmark's means of making and measuring runs."""
    path = Path(__file__).parents[1] / "benchmarks" / "memory_runs.py"
    return load_module(path)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("number", range(5))
def test_a_workers_process_takes_what_was_estimated(runs: Any, tmp_path: Path, number: int) -> None:
    """Five sizes from 2 to 135 million parameters, trained in workers of their own."""
    case: Any = runs.CASES[number]
    runs.build_model(tmp_path / "model", case.size)
    outcome = runs.run(case, tmp_path / "model", tmp_path)
    found = outcome.estimate
    assert outcome.measured < found.high, str(case)
    # Small models are little beside Python itself, of which a host may keep less than expected.
    assert -0.03 < outcome.error < 0.3, f"{case}: {100 * outcome.error:+.1f}%"
