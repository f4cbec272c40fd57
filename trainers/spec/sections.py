"""The sections of a run spec that every task shares."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import model_validator

from .parameter import Section, conflict, parameter

Precision = Literal["auto", "no", "fp16", "bf16"]
_ACCELERATOR_SETTINGS = (
    "split_batches",
    "dispatch_batches",
    "even_batches",
    "use_seedable_sampler",
    "non_blocking",
    "gradient_accumulation_kwargs",
)


class ModelSection(Section):
    """The base model and how it is loaded."""

    name_or_path: str = parameter(
        meaning="The model to start from: a local folder or a hub id.",
        level="beginner",
        example="HuggingFaceTB/SmolLM2-135M-Instruct",
        min_length=1,
    )
    revision: str | None = parameter(None, "Branch, tag or commit of a hub model.")
    tokenizer: str | None = parameter(
        None, "Tokenizer folder or hub id, when it is not the model's own."
    )
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = parameter(
        "auto", "Number type of the loaded weights; auto takes the checkpoint's own."
    )
    load_in_4bit: bool = parameter(
        False, "Load the frozen base model in 4 bits (QLoRA). Needs peft.", level="beginner"
    )
    load_in_8bit: bool = parameter(False, "Load the frozen base model in 8 bits. Needs peft.")
    bnb_4bit_quant_type: Literal["nf4", "fp4"] = parameter("nf4", "4-bit number format.")
    bnb_4bit_use_double_quant: bool = parameter(
        True, "Quantise the quantisation constants too; saves about 0.4 bits a parameter."
    )
    attn_implementation: Literal["sdpa", "eager", "flash_attention_2"] = parameter(
        "sdpa", "Attention kernel; flash_attention_2 needs the flash-attn package and a GPU."
    )
    device_map: Literal["auto"] | None = parameter(
        None, "auto spreads the layers of one copy over the GPUs of one process."
    )
    use_cache: bool = parameter(False, "Keep the key-value cache during training forward passes.")
    chat_template: str | None = parameter(
        None,
        "Chat template: chatml, zephyr, or a .jinja file. Silent: the tokenizer's own.",
    )
    trust_remote_code: bool = parameter(
        False, "Run Python code that the model's repository carries. Only for sources you trust."
    )

    @model_validator(mode="after")
    def _one_quantisation(self) -> ModelSection:
        if self.load_in_4bit and self.load_in_8bit:
            raise conflict("model.load_in_8bit", "choose load_in_4bit or load_in_8bit, not both")
        return self


class TrainingSection(Section):
    """What every gradient-trained task takes, under the names of transformers.TrainingArguments."""

    @model_validator(mode="before")
    @classmethod
    def _no_class_weights_are_ignored(cls, values: Any) -> Any:
        given = isinstance(values, dict) and "class_weights" in values
        if given and "class_weights" not in cls.model_fields:
            text = "the loss of this task has no weights for classes; leave it out"
            raise conflict("training.class_weights", text)
        return values

    num_train_epochs: float = parameter(
        3.0, "Passes over the training rows.", level="beginner", unit="epochs", gt=0, group="length"
    )
    max_steps: int = parameter(
        -1,
        "Stop after this many optimizer steps; -1 lets the epochs decide.",
        unit="steps",
        ge=-1,
        group="length",
    )
    per_device_train_batch_size: int = parameter(
        8,
        "Rows per device in one forward pass; the first thing to lower when memory is short.",
        level="beginner",
        unit="rows",
        ge=1,
        group="batch",
    )
    gradient_accumulation_steps: int = parameter(
        1,
        "Forward passes gathered into one optimizer step; multiplies the batch, not the memory.",
        level="beginner",
        ge=1,
        group="batch",
    )
    out_of_memory_retries: int = parameter(
        3,
        "How often the batch is halved and accumulation doubled when memory runs out.",
        ge=0,
        le=3,
        group="batch",
    )
    learning_rate: float = parameter(
        5e-5, "Peak step size.", level="beginner", gt=0, le=10, group="optimizer"
    )
    optim: Literal[
        "adamw_torch",
        "adamw_torch_fused",
        "adamw_bnb_8bit",
        "adamw_8bit",
        "paged_adamw_32bit",
        "paged_adamw_8bit",
        "adafactor",
        "sgd",
        "rmsprop",
        "adagrad",
        "lion_32bit",
        "lion_8bit",
        "paged_lion_32bit",
        "paged_lion_8bit",
        "ademamix",
        "ademamix_8bit",
    ] = parameter(
        "adamw_torch_fused", "Optimizer; 8-bit and paged ones save memory.", group="optimizer"
    )
    optim_args: str | None = parameter(
        None, "Extra optimizer arguments as name=value pairs with commas.", group="optimizer"
    )
    adam_beta1: float = parameter(0.9, "Adam's first decay.", ge=0, lt=1, group="optimizer")
    adam_beta2: float = parameter(0.999, "Adam's second decay.", ge=0, lt=1, group="optimizer")
    adam_epsilon: float = parameter(1e-8, "Adam's denominator term.", gt=0, group="optimizer")
    weight_decay: float = parameter(0.0, "Decoupled weight decay.", ge=0, group="optimizer")
    max_grad_norm: float = parameter(
        1.0, "Gradients are clipped to this norm; 0 turns clipping off.", ge=0, group="optimizer"
    )
    lr_scheduler_type: Literal[
        "linear",
        "cosine",
        "cosine_with_restarts",
        "polynomial",
        "constant",
        "constant_with_warmup",
        "inverse_sqrt",
        "cosine_with_min_lr",
        "warmup_stable_decay",
        "reduce_lr_on_plateau",
    ] = parameter("linear", "How the learning rate falls.", level="beginner", group="schedule")
    lr_scheduler_kwargs: dict[str, Any] = parameter(
        {}, "Extra arguments of the schedule.", group="schedule"
    )
    warmup_steps: float = parameter(
        0,
        "Steps of rising learning rate; below 1 it is a share of all steps.",
        ge=0,
        group="schedule",
    )
    seed: int = parameter(42, "Seed of every random choice.", ge=0, lt=2**32, group="repeatability")
    data_seed: int | None = parameter(
        None, "Seed of the row order; silent: the seed.", ge=0, group="repeatability"
    )
    full_determinism: bool = parameter(
        False, "Bit-identical CUDA runs at the price of speed.", group="repeatability"
    )
    gradient_checkpointing: bool = parameter(
        False,
        "Recompute activations in the backward pass: less memory, about 30% slower.",
        level="beginner",
        group="memory",
    )
    gradient_checkpointing_kwargs: dict[str, Any] = parameter(
        {"use_reentrant": False}, "use_reentrant, preserve_rng_state.", group="memory"
    )
    memory_probe: bool = parameter(
        True,
        "Try the longest batch before step 1, so that memory that runs out does so at once.",
        group="memory",
    )
    torch_empty_cache_steps: int | None = parameter(
        None, "Give cached memory back every so many steps.", unit="steps", ge=1, group="memory"
    )
    torch_compile: bool = parameter(False, "Compile the model first.", group="speed")
    torch_compile_backend: str | None = parameter(None, "torch.compile backend.", group="speed")
    torch_compile_mode: str | None = parameter(None, "torch.compile mode.", group="speed")
    tf32: bool | None = parameter(None, "TF32 matrix products on recent GPUs.", group="speed")
    neftune_noise_alpha: float | None = parameter(
        None, "Noise on the embeddings (NEFTune); 5 to 15 are usual.", ge=0, group="regularisation"
    )
    label_smoothing_factor: float = parameter(
        0.0, "Label smoothing.", ge=0, lt=1, group="regularisation"
    )
    train_sampling_strategy: Literal["random", "sequential", "group_by_length"] = parameter(
        "random", "Row order; group_by_length puts rows of similar length together.", group="data"
    )
    dataloader_num_workers: int = parameter(0, "Loader processes.", ge=0, group="data")
    dataloader_prefetch_factor: int | None = parameter(
        None, "Batches each loader process prepares ahead.", ge=1, group="data"
    )
    dataloader_pin_memory: bool = parameter(True, "Pin host memory for GPU copies.", group="data")
    dataloader_persistent_workers: bool = parameter(
        False, "Keep loader processes between epochs.", group="data"
    )
    dataloader_drop_last: bool = parameter(False, "Drop the last short batch.", group="data")
    logging_steps: int = parameter(10, "Steps between metrics.", unit="steps", ge=1, group="log")
    logging_strategy: Literal["no", "steps", "epoch"] = parameter(
        "steps", "When metrics are written.", group="log"
    )
    logging_first_step: bool = parameter(True, "Log the very first step.", group="log")
    include_num_input_tokens_seen: bool = parameter(
        True, "Count the tokens seen and their speed.", group="log"
    )
    average_tokens_across_devices: bool = parameter(
        True, "Weigh the loss by the tokens of all devices.", group="log"
    )
    log_level: Literal["debug", "info", "warning", "error"] = parameter(
        "warning", "How much the libraries write to the log.", group="log"
    )
    log_on_each_node: bool = parameter(True, "Every node writes its log.", group="log")
    report_to: list[Literal["tensorboard", "wandb", "mlflow", "trackio"]] = parameter(
        [], "Trackers to log to as well, when installed.", group="log"
    )
    disable_tqdm: bool = parameter(True, "No progress bar in the raw log.", group="log")
    save_strategy: Literal["no", "steps", "epoch"] = parameter(
        "steps", "When checkpoints are written.", group="checkpoints"
    )
    save_steps: int = parameter(
        100,
        "Steps between checkpoints.",
        unit="steps",
        ge=1,
        level="beginner",
        group="checkpoints",
    )
    save_total_limit: int | None = parameter(
        2, "Checkpoints kept; older ones are deleted.", ge=1, group="checkpoints"
    )
    resume_from_checkpoint: str | None = parameter(
        None,
        "Folder of another run's checkpoint to go on from; the run's own checkpoints come first.",
        group="checkpoints",
    )
    restore_callback_states_from_checkpoint: bool = parameter(
        True, "Early stopping goes on where it was when a run is resumed.", group="checkpoints"
    )


class EvaluationSection(Section):
    """When and how the model is measured on rows it is not trained on."""

    strategy: Literal["no", "steps", "epoch"] = parameter(
        "epoch", "When the validation rows are measured.", level="beginner"
    )
    steps: int = parameter(
        100, "Steps between evaluations, for strategy steps.", ge=1, unit="steps"
    )
    per_device_eval_batch_size: int = parameter(8, "Rows per device.", ge=1, unit="rows")
    load_best_model_at_end: bool = parameter(
        False, "End with the best checkpoint instead of the last step."
    )
    metric_for_best_model: str = parameter("eval_loss", "What best means.")
    greater_is_better: bool | None = parameter(
        None, "Silent: lower is better for losses, higher for everything else."
    )
    early_stopping_patience: int | None = parameter(
        None, "End after this many evaluations without improvement.", ge=1
    )
    early_stopping_threshold: float = parameter(
        0.0, "Smallest change that counts as improvement.", ge=0
    )

    @model_validator(mode="after")
    def _needs_evaluation(self) -> EvaluationSection:
        if self.strategy == "no":
            if self.early_stopping_patience is not None:
                raise conflict(
                    "evaluation.early_stopping_patience", "needs evaluation.strategy steps or epoch"
                )
            if self.load_best_model_at_end:
                raise conflict(
                    "evaluation.load_best_model_at_end", "needs evaluation.strategy steps or epoch"
                )
        return self


class LaunchSection(Section):
    """Where and on what the run executes."""

    host: str = parameter("local", "Host that runs it.", level="beginner")
    devices: Literal["auto", "cpu"] | list[int] = parameter(
        "auto",
        "auto takes a free accelerator, or the CPU where there is none; or device numbers.",
        level="beginner",
    )
    processes: int = parameter(
        1, "Training processes, one per device (on the CPU: as many as asked for).", ge=1, le=1024
    )
    threads: int | None = parameter(
        None, "CPU threads of each process; silent: the cores shared among the processes.", ge=1
    )
    strategy: Literal["auto", "single", "ddp", "fsdp", "deepspeed"] = parameter(
        "auto", "How several processes share the work; auto is ddp for more than one."
    )
    precision: Precision = parameter(
        "auto",
        "Mixed precision; auto is bf16 where the device has it, else none.",
        level="beginner",
    )
    share_device: bool = parameter(False, "Let other runs use the same device at the same time.")
    retries: int = parameter(
        0, "How often a lost run (a reboot, a killed process) is resumed by itself.", ge=0, le=100
    )
    offline: bool = parameter(
        False, "Open no connection: models and data must be here already.", level="beginner"
    )
    send_hub_token: bool = parameter(
        False, "Give a run on another host your hub token, for private models and uploads."
    )
    memory_limit: float | None = parameter(
        None, "Most memory a process may allocate on the host; silent: no limit.", unit="GiB", gt=0
    )
    ddp_backend: Literal["nccl", "gloo", "qccl"] | None = parameter(
        None, "Communication library; silent: nccl on GPUs, gloo on the CPU."
    )
    ddp_find_unused_parameters: bool = parameter(False, "Search for parameters without gradient.")
    ddp_bucket_cap_mb: int = parameter(25, "Size of a gradient bucket.", unit="MB", ge=1)
    ddp_broadcast_buffers: bool | None = parameter(None, "Share buffers among the processes.")
    ddp_timeout: int = parameter(
        1800, "Longest wait for the other processes.", unit="seconds", ge=1
    )
    fsdp_config: dict[str, Any] = parameter(
        {}, "Passed to accelerate's FSDP plugin (strategy fsdp)."
    )
    deepspeed_config: dict[str, Any] = parameter(
        {}, "DeepSpeed configuration (strategy deepspeed)."
    )
    accelerator_config: dict[str, Any] = parameter(
        {}, "accelerate's data loading: split_batches, dispatch_batches, even_batches, ..."
    )
    stop_deadline: float = parameter(
        120,
        "How long a stop waits for the checkpoint before it ends the processes.",
        unit="seconds",
        gt=0,
    )

    @model_validator(mode="after")
    def _fits(self) -> LaunchSection:
        if self.strategy == "single" and self.processes > 1:
            raise conflict(
                "launch.strategy",
                f"single is one process, but launch.processes is {self.processes}",
            )
        if isinstance(self.devices, list):
            if len(set(self.devices)) != len(self.devices) or any(d < 0 for d in self.devices):
                raise conflict("launch.devices", "device numbers are distinct and not negative")
            if len(self.devices) < self.processes:
                raise conflict(
                    "launch.processes",
                    f"{self.processes} processes need as many devices, {len(self.devices)} named",
                )
        for name in self.accelerator_config:
            if name not in _ACCELERATOR_SETTINGS:
                known = ", ".join(_ACCELERATOR_SETTINGS)
                raise conflict(
                    "launch.accelerator_config", f"{name} is no setting of it; known are {known}"
                )
        for name in ("fsdp", "deepspeed"):
            if getattr(self, f"{name}_config") and self.strategy != name:
                raise conflict(f"launch.{name}_config", f"needs launch.strategy {name}")
        return self


class OutputSection(Section):
    """What is kept at the end."""

    merge_adapter: bool = parameter(False, "Also save the base model with the adapter folded in.")
    push_to_hub: bool = parameter(False, "Upload the result; the token comes from the environment.")
    hub_model_id: str | None = parameter(None, "Repository to upload to, owner/name.")
    hub_private: bool = parameter(True, "The uploaded repository is private.")

    @model_validator(mode="after")
    def _push_needs_name(self) -> OutputSection:
        if self.push_to_hub and not self.hub_model_id:
            raise conflict("output.hub_model_id", "push_to_hub needs the repository, owner/name")
        return self
