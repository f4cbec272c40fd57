"""Memory that torchtune measured on GPUs and published, with the workload that matches each row.

Its README (table "Memory and training speed") and its page on memory optimizations: two packed rows
at a time, pure bfloat16, torch.compile where said. Peaks are taken as those of torch's own
counters, without the CUDA context. Where a page does not say, the recipe's defaults of that time
are taken: LoRA of rank 8 on queries and values, layers recomputed in the rows for 24 GB cards.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from luthier.presets.memory import GIB, DeviceFacts, Workload, estimate, model_shape
from luthier.presets.memory.framework import overhead

FULL = Workload(task="llm-sft", method="none", precision="no", batch=2, length=4096, even=True)
LORA = replace(
    FULL, method="lora", rank=8, dropout=False, targets=("q_proj", "v_proj"), length=2048,
    compiled=True,
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One measured row."""

    model: str
    what: str
    gib: float
    work: Workload

    def __str__(self) -> str:
        return f"{self.model} {self.what}"


ROWS = (
    Row("Llama-3.2-3B", "packed, whole logits", 60.0, replace(FULL, task="llm-generic")),
    Row("Llama-3.2-3B", "+ compiled", 51.0, replace(FULL, task="llm-generic", compiled=True)),
    Row("Llama-3.2-3B", "+ loss in chunks", 42.9, replace(FULL, compiled=True)),
    Row("Llama-3.2-3B", "+ recomputed", 24.9, replace(FULL, compiled=True, checkpointing=True)),
    Row("Llama-3.1-8B", "LoRA", 30.3, LORA),
    Row("Llama-3.1-8B", "LoRA recomputed", 16.2, replace(LORA, checkpointing=True)),
    Row("Llama-3.1-8B", "QLoRA recomputed", 7.4,
        replace(LORA, checkpointing=True, quantisation="nf4")),
)  # fmt: skip

LEFT_OUT = (
    ("Llama-3.2-3B baseline", 25.5, "rows of unknown lengths"),
    ("Llama-3.2-3B + optimizer in backward", 23.1, "no trainer of ours steps inside backward"),
    ("Llama-3.2-3B + offloading", 21.8, "activations on the host, which we do not offer"),
    ("Llama-3.2-3B + 8-bit Adam", 17.6, "with both of these"),
    ("Llama-3.2-3B LoRA, QLoRA", 8.5, "with activations on the host"),
    ("Llama-3.1-8B full", 37.4, "optimizer in backward"),
    ("Llama-3.1-8B full, 24 GB", 18.9, "optimizer in backward, paged"),
    (
        "Llama-3.1-70B LoRA on 8",
        27.6,
        "the estimate says 31.2: it keeps embedding and head gathered",
    ),
    ("Llama-3.1-405B QLoRA on 8", 44.8, "4-bit weights in shards, which bitsandbytes does not do"),
)


def estimated(row: Row) -> float:
    """GiB that the quick estimate says for a row, without the CUDA context."""
    device = DeviceFacts(kind="cuda", bf16=True)
    found = estimate(row.work, model_shape(f"meta-llama/{row.model}"), device)
    return (found.total - overhead(row.work, device).fixed) / GIB
