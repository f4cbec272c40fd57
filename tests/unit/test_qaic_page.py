"""The page about QAIC cards answers for every parameter of Qualcomm's configuration."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from luthier.trainers.registry import find_task

PAGE = Path(__file__).parents[2] / "docs" / "qaic.md"
ROWS = re.findall(r"^\| (`.*`) \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)

# Names as they stand in their page, section by section.
THEIRS = """
model_type auto_class_name model_name load_in_4bit use_cache attn_implementation device_map use_peft
lora_r lora_alpha lora_dropout target_modules bias task_type peft_type
tokenizer_name dataset_type dataset_name json_file_path train_split test_split split_ratio
prompt_func prompt_template completion_func completion_template dataset_subset max_seq_length
input_columns target_column train_batch_size eval_batch_size collate_fn group_by_length
length_column_name num_workers dataloader_pin_memory dataloader_drop_last
dataloader_prefetch_factor dataloader_persistent_workers dataloader_num_workers
type output_dir overwrite_output_dir do_eval eval_strategy eval_steps gradient_accumulation_steps
dtype seed device per_device_train_batch_size per_device_eval_batch_size num_train_epochs max_steps
log_level log_on_each_node logging_strategy logging_steps save_strategy save_steps
save_total_limit metric_for_best_model include_num_input_tokens_seen average_tokens_across_devices
fsdp_config deepspeed_config accelerator_config use_cpu restore_callback_states_from_checkpoint
gradient_checkpointing preserve_rng_state use_reentrant ddp_backend ddp_find_unused_parameters
ddp_bucket_cap_mb ddp_broadcast_buffers ddp_timeout torch_compile resume_from_checkpoint
disable_tqdm optimizer lr weight_decay scheduler warmup_steps
early_stopping_patience early_stopping_threshold enhanced_progressbar Printer default_flow
JSONLoggerCallback tensorboard QAICProfilerCallback QAICOpByOpVerifierCallback
"""


def test_every_parameter_is_answered_for_once() -> None:
    answered = [name for theirs, _ in ROWS for name in re.findall(r"`(\w+)`", theirs)]
    assert sorted(answered) == sorted(THEIRS.split())
    assert all(ours.strip() for _, ours in ROWS)


@pytest.mark.parametrize("ours", [ours for _, ours in ROWS if re.search(r"`\w+\.\w+", ours)])
def test_settings_that_it_names_are_there(ours: str) -> None:
    sections = find_task("llm-sft").spec.model_fields
    for section, key in re.findall(r"`(\w+)\.(\w+)", ours):
        assert key in sections[section].annotation.model_fields, f"{section}.{key}"  # type: ignore[union-attr]
