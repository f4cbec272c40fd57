"""What of a run, its data and its device decides memory, as plain numbers, quick to vary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from luthier.trainers.errors import LuthierError
from luthier.trainers.spec import AdapterSection, GradientSpec, PeftSection

from .shape import BYTES, ModelShape

_SEQUENCES = {
    "llm-dpo": 2,
    "llm-orpo": 2,
    "llm-reward": 2,
    "st-pair": 2,
    "st-pair-class": 2,
    "st-pair-score": 2,
    "st-qa": 2,
    "st-triplet": 3,
}
FROZEN = "frozen"
"""The method of a part of the model of which nothing is trained."""
UNLIMITED_PROMPT = 512
"""Tokens of a prompt where nothing limits them and no row is known."""
_CACHED_LOSS = "cached-multiple-negatives-ranking"
_REFERENCED = ("llm-dpo", "llm-kto", "llm-grpo")

Platform = Literal["cuda", "cpu", "qaic"]
Quantisation = Literal["none", "nf4", "int8"]


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """The device that a run is to use; each of its devices is one of these.

    Attributes:
        kind: cuda, cpu or qaic.
        name: what its maker calls it; decides the guess of its speed.
        total: its memory in bytes, 0 where not known.
        free: what of it is free now, 0 where not known.
        count: how many like it there are.
        bf16: whether it computes in bfloat16.
        bandwidth: bytes a second between devices (for several), 0 where not known.
        cores: processor cores, for the CPU.
    """

    kind: Platform = "cuda"
    name: str = ""
    total: int = 0
    free: int = 0
    count: int = 1
    bf16: bool = True
    bandwidth: float = 0.0
    cores: int = 0


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long the rows of a dataset are, in tokens, before anything is cut.

    Attributes:
        rows: how many there are.
        tokens: all of them together.
        longest: the longest row.
        trained: share of the tokens that are learnt (the completions).
        quantiles: lengths at 0, 5, 10 … 100% of the rows, shortest first; empty: not known.
    """

    rows: int
    tokens: int
    longest: int
    trained: float = 1.0
    quantiles: tuple[int, ...] = ()

    @classmethod
    def of(cls, lengths: Sequence[int], trained: float = 1.0) -> Lengths:
        """The figures of rows of these lengths."""
        ordered = sorted(lengths)
        last = len(ordered) - 1
        quantiles = tuple(ordered[round(last * share / 20)] for share in range(21))
        return cls(
            rows=len(ordered),
            tokens=sum(ordered),
            longest=ordered[-1] if ordered else 0,
            trained=trained,
            quantiles=quantiles if ordered else (),
        )

    @property
    def mean(self) -> float:
        """Tokens of the average row."""
        return self.tokens / self.rows if self.rows else 0.0

    def mean_cut(self, length: int) -> float:
        """Tokens of the average row when rows are cut to ``length``."""
        if self.longest <= length:
            return self.mean
        if not self.quantiles:
            return min(self.mean, float(length))
        cut = [min(quantile, length) for quantile in self.quantiles]
        return (sum(cut) - (cut[0] + cut[-1]) / 2) / (len(cut) - 1)


@dataclass(frozen=True, slots=True)
class Workload:
    """One training step, as far as memory and time go. Vary it with ``dataclasses.replace``.

    Attributes:
        task: the task's id.
        method: peft.method.
        rank: of LoRA.
        targets: module names that get adapters, or ("all-linear",).
        excluded: module names that get none.
        saved_modules: modules that are trained whole beside the adapter.
        dropout: whether LoRA has dropout.
        prompt_tokens: trained prompt tokens (prompt tuning).
        dtype: number type of the loaded weights.
        quantisation: of the frozen base.
        double_quantisation: whether nf4's constants are quantised too.
        precision: autocast: no, fp16 or bf16.
        attention: sdpa, eager or flash_attention_2.
        optimizer: training.optim.
        batch: rows of one forward pass on one device.
        copies: sequences that one row becomes: a chosen and a rejected answer, a pair of texts, ...
        chunk: rows of a batch that are taken through the model at a time (the cached loss of
            sentence transformers); 0: all of them.
        parts: of a model that sees, those that are trained; empty: the model has no parts.
        reference: whether a second, frozen copy of the model is held beside the trained one.
        beside: bytes of another model that is held: a teacher, a reference of another name.
        unread: the name of such a model whose configuration is not here.
        accumulation: forward passes of one optimizer step.
        length: tokens of the longest row that a pass can have, after cutting.
        target: tokens of the longest row that a decoder behind an encoder has; 0: as many.
        packing: no, bfd (flattened rows) or wrapped (even blocks).
        even: whether all rows of a batch are equally long, so that nothing is masked.
        trained_share: share of positions whose loss counts.
        checkpointing: whether layers are recomputed in the backward pass.
        label_smoothing: whether the loss needs whole logits.
        compiled: whether torch.compile fuses what lies between matrices.
        clipping: whether gradients are clipped.
        processes: devices that work together.
        strategy: single, ddp, fsdp or deepspeed.
        zero_stage: DeepSpeed's stage; 3 for fsdp's full sharding, 2 for shard-grad-op.
        offload: optimizer states and gradients on the host (DeepSpeed, FSDP).
        spread: whether device_map spreads one copy over the devices of one process.
    """

    task: str = "llm-sft"
    method: str = "lora"
    rank: int = 16
    targets: tuple[str, ...] = ("all-linear",)
    excluded: tuple[str, ...] = ()
    saved_modules: tuple[str, ...] = ()
    dropout: bool = True
    prompt_tokens: int = 0
    dtype: str = "bfloat16"
    quantisation: Quantisation = "none"
    double_quantisation: bool = True
    precision: str = "bf16"
    attention: str = "sdpa"
    optimizer: str = "adamw_torch_fused"
    batch: int = 8
    copies: int = 1
    chunk: int = 0
    parts: tuple[str, ...] = ()
    reference: bool = False
    beside: int = 0
    unread: str = ""
    accumulation: int = 1
    length: int = 1024
    target: int = 0
    packing: str = "no"
    even: bool = False
    trained_share: float = 1.0
    checkpointing: bool = False
    label_smoothing: bool = False
    compiled: bool = False
    clipping: bool = True
    processes: int = 1
    strategy: str = "single"
    zero_stage: int = 0
    offload: bool = False
    spread: bool = False

    @property
    def sequences(self) -> int:
        """Sequences that are in the model at once."""
        return min(self.batch, self.chunk) if self.chunk else self.all_sequences

    @property
    def all_sequences(self) -> int:
        """Sequences of a batch."""
        return self.batch * self.copies

    def of_part(self, part: str) -> Workload:
        """The workload as one part of the model has it: frozen where the part is not trained."""
        trained = not self.parts or part in self.parts
        return self if trained else replace(self, method=FROZEN, saved_modules=())

    @classmethod
    def of(
        cls,
        spec: GradientSpec,
        shape: ModelShape,
        device: DeviceFacts,
        lengths: Lengths | None = None,
    ) -> Workload:
        """What a spec asks for on this device; without ``lengths`` every row is the longest."""
        return cls(**_run(spec, shape, device), **_rows(spec, shape, lengths))


def _run(spec: GradientSpec, shape: ModelShape, device: DeviceFacts) -> dict[str, Any]:
    model, training, peft, launch = spec.model, spec.training, spec.peft, spec.launch
    targets = peft.target_modules
    named = (targets,) if isinstance(targets, str) else tuple(targets)
    strategy = launch.strategy
    if strategy == "auto":
        strategy = "ddp" if launch.processes > 1 else "single"
    precision: str = launch.precision
    if precision == "auto":
        precision = "bf16" if device.bf16 and device.kind != "qaic" else "no"
    return {
        "task": spec.task,
        "copies": _SEQUENCES.get(spec.task, 1) + getattr(training, "hard_negatives", 0),
        "chunk": _chunk(spec),
        "parts": tuple(getattr(peft, "parts", ())),
        "reference": _needs_reference(spec),
        **_beside(spec),
        "method": peft.method,
        "rank": peft.r,
        "targets": named,
        "excluded": tuple(peft.exclude_modules),
        "saved_modules": tuple(peft.modules_to_save),
        "dropout": peft.lora_dropout > 0,
        "prompt_tokens": _prompt_tokens(peft),
        "dtype": shape.dtype if model.dtype == "auto" else model.dtype,
        "quantisation": _quantisation(spec),
        "double_quantisation": model.bnb_4bit_use_double_quant,
        "precision": precision,
        "attention": model.attn_implementation,
        "optimizer": training.optim,
        "batch": training.per_device_train_batch_size,
        "accumulation": training.gradient_accumulation_steps,
        "checkpointing": training.gradient_checkpointing,
        "label_smoothing": training.label_smoothing_factor > 0,
        "compiled": training.torch_compile,
        "clipping": training.max_grad_norm > 0,
        "processes": launch.processes,
        "strategy": strategy,
        "zero_stage": _zero_stage(spec, strategy),
        "offload": _offload(spec),
        "spread": model.device_map == "auto",
    }


def _chunk(spec: GradientSpec) -> int:
    cached = getattr(spec.training, "loss", "") == _CACHED_LOSS
    return int(getattr(spec.training, "mini_batch_size", 0)) if cached else 0


def _prompt_tokens(peft: AdapterSection) -> int:
    if isinstance(peft, PeftSection) and peft.method == "prompt-tuning":
        return peft.num_virtual_tokens
    return 0


def _needs_reference(spec: GradientSpec) -> bool:
    """Whether the task compares with the model as it was; with an adapter, that is the base."""
    if spec.task not in _REFERENCED or spec.peft.method != "none":
        return False
    training = spec.training
    if getattr(training, "precompute_ref_log_probs", False) or getattr(training, "ref_model", None):
        return False
    return spec.task != "llm-grpo" or getattr(training, "beta", 0.0) > 0


def _beside(spec: GradientSpec) -> dict[str, Any]:
    """The memory of models with names of their own; of one that cannot be read, the name."""
    from .reading import model_shape  # reads shapes with what is defined here

    training, found = spec.training, 0
    for key, number in (("teacher_model_name_or_path", "teacher_dtype"), ("ref_model", "")):
        name = getattr(training, key, None)
        if name is None:
            continue
        try:
            shape = model_shape(name)
        except LuthierError:
            return {"unread": name}
        dtype = getattr(training, number, "auto") if number else spec.model.dtype
        own = shape.dtype if dtype == "auto" else dtype
        found += int(shape.parameters * BYTES.get(own, 4.0))
    return {"beside": found}


def _quantisation(spec: GradientSpec) -> Quantisation:
    if spec.model.load_in_4bit:
        return "nf4"
    return "int8" if spec.model.load_in_8bit else "none"


def _zero_stage(spec: GradientSpec, strategy: str) -> int:
    if strategy == "deepspeed":
        stage = spec.launch.deepspeed_config.get("zero_optimization", {}).get("stage", 2)
        return int(stage)
    if strategy == "fsdp":
        config = spec.launch.fsdp_config
        chosen = str(config.get("fsdp_sharding_strategy", config.get("sharding_strategy", "")))
        reshard = config.get("fsdp_reshard_after_forward", chosen)
        grad_only = "SHARD_GRAD_OP" in str(reshard) or reshard in (False, "false", "False")
        return 2 if grad_only else 3
    return 0


def _offload(spec: GradientSpec) -> bool:
    zero = spec.launch.deepspeed_config.get("zero_optimization", {})
    device = (zero.get("offload_optimizer") or {}).get("device", "none")
    return device in ("cpu", "nvme") or bool(spec.launch.fsdp_config.get("fsdp_offload_params"))


def _rows(spec: GradientSpec, shape: ModelShape, lengths: Lengths | None) -> dict[str, Any]:
    training = spec.training
    block = getattr(training, "block_size", None)
    longest = block or getattr(training, "max_length", None) or shape.context or 512
    packing = getattr(training, "packing", False)
    packed = getattr(training, "packing_strategy", "bfd") if packing else "no"
    even = block is not None or packed == "wrapped"
    length = longest
    written = getattr(training, "max_completion_length", None)
    if written is not None:
        prompt = getattr(training, "max_prompt_length", None) or UNLIMITED_PROMPT
        length = written + (min(prompt, lengths.longest) if lengths is not None else prompt)
    elif lengths is not None and packed == "no" and block is None:
        length = max(1, min(longest, lengths.longest))
    share = lengths.trained if lengths is not None and block is None else 1.0
    return {
        "length": length,
        "target": getattr(training, "max_target_length", 0),
        "packing": packed,
        "even": even,
        "trained_share": share,
    }
