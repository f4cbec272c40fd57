"""One step of a real trainer with fake tensors, every storage of it written down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._pytree import tree_map_only

from ..engine.trainer import RunTrainer
from .emulation import BLOCKS, emulated, workspaces
from .hollow import constants, fill
from .ledger import Ledger
from .report import DeviceKind


@dataclass(frozen=True)
class Rehearsed:
    """What came of a rehearsal.

    Attributes:
        start: the number of the event at which the step began.
        pixels: width and height of the pictures as the model saw them, if it did.
    """

    ledger: Ledger
    start: int
    pixels: tuple[int, int] | None


def rehearse(trainer: RunTrainer, device: DeviceKind, *, unequal: bool) -> Rehearsed:
    """Take a step as the trainer does once it is under way, with its optimizer state in place.

    Args:
        trainer: its model is on the meta device.
        device: whose ways to take on.
        unequal: whether rows differ in length.
    """
    loader = trainer.get_train_dataloader()
    batch = next(iter(loader))
    if isinstance(batch, Mapping):
        batch = dict(batch)
    ledger = Ledger(BLOCKS[device], workspaces(device))
    trainer.accelerator.device_placement = False
    with FakeTensorMode(allow_non_fake_inputs=True) as mode, emulated(device, unequal=unequal):
        for module in _modules(trainer):
            fill(module)
        for module in _modules(trainer):
            _name_weights(ledger, module)
        with ledger:
            model = _prepare(trainer, loader, device)
            trainer.current_gradient_accumulation_steps = trainer.args.gradient_accumulation_steps
            inputs = tree_map_only(torch.Tensor, mode.from_tensor, batch)
            count = trainer._get_num_items_in_batch([batch], torch.device("cpu"))
            if isinstance(count, torch.Tensor):
                count = mode.from_tensor(count)
            _gather_state(trainer, ledger)
            start = ledger.now
            with _followed(trainer, ledger):
                ledger.phase = "forward"
                trainer.training_step(model, inputs, count)
                _name_gradients(ledger, trainer.model)
                ledger.phase, ledger.module = "optimizer", ""
                if trainer.args.max_grad_norm > 0:
                    trainer.accelerator.clip_grad_norm_(
                        model.parameters(), trainer.args.max_grad_norm
                    )
                trainer.optimizer.step()
                ledger.phase = "setup"
    return Rehearsed(ledger, start, _pixels(batch))


def _pixels(batch: Any) -> tuple[int, int] | None:
    seen = batch.get("pixel_values") if isinstance(batch, dict) else None
    return None if seen is None else (seen.shape[-1], seen.shape[-2])


def _modules(trainer: RunTrainer) -> list[nn.Module]:
    """The trained model, and what stands beside it: a reference, a teacher, a loss of its own."""
    others = [value for value in vars(trainer).values() if isinstance(value, nn.Module)]
    return [trainer.model, *(each for each in others if each is not trainer.model)]


def _prepare(trainer: RunTrainer, loader: Any, device: DeviceKind) -> Any:
    """What the trainer does before its first step."""
    arguments, model = trainer.args, trainer.model
    if arguments.activation_checkpointing:
        model.activation_checkpointing_enable(
            activation_checkpointing_kwargs=dict(arguments.activation_checkpointing_kwargs or {})
        )
    wrapped, _ = trainer._prepare_for_training(1, loader, None)
    model.train()
    optimizer = trainer.optimizer
    for group in optimizer.param_groups:
        # On a GPU torch treats all parameters at once unless told otherwise.
        if device != "cpu" and group.get("foreach", 0) is None and not group.get("fused"):
            group["foreach"] = True
    # The kernels of bitsandbytes work in place.
    inner: Any = getattr(optimizer, "optimizer", optimizer)
    if hasattr(inner, "update_step"):
        inner.update_step = lambda *_: None
    return wrapped


def _gather_state(trainer: RunTrainer, ledger: Ledger) -> None:
    """Let the optimizer make its state, by a step that is not looked at."""
    optimizer = trainer.optimizer
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.empty_like(parameter)
    optimizer.step()
    # All but the first of the accumulated batches find gradients in place.
    if trainer.args.gradient_accumulation_steps > 1:
        _name_gradients(ledger, trainer.model)
    else:
        optimizer.zero_grad()
    for state in optimizer.state.values():
        for value in state.values():
            if isinstance(value, torch.Tensor):
                ledger.name(value, "optimizer")


def _name_weights(ledger: Ledger, model: nn.Module) -> None:
    # A sentence transformer holds its adapted model inside.
    adapted = any(hasattr(module, "peft_config") for module in model.modules())
    for parameter in model.parameters():
        ledger.name(parameter, "adapter" if adapted and parameter.requires_grad else "weights")
    for tensor in (*model.buffers(), *constants(model)):
        ledger.name(tensor, "weights")


def _name_gradients(ledger: Ledger, model: nn.Module) -> None:
    for parameter in model.parameters():
        ledger.name(parameter.grad, "gradients")


@contextmanager
def _followed(trainer: RunTrainer, ledger: Ledger) -> Iterator[None]:
    """Keep the ledger's phase, module and spans as the step goes on."""
    follower = _Follower(ledger)
    handles = []
    for name, module in trainer.model.named_modules():
        handles.append(module.register_forward_pre_hook(follower.entering(name)))
        handles.append(module.register_forward_hook(follower.leaving(name), always_call=True))
    backward = trainer.accelerator.backward

    def go_back(*arguments: Any, **options: Any) -> None:
        follower.turn()
        backward(*arguments, **options)

    trainer.accelerator.backward = go_back
    try:
        yield
    finally:
        trainer.accelerator.backward = backward
        for handle in handles:
            handle.remove()


class _Follower:
    """Knows which module is at work, in the forward pass, in the backward pass, and again."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._names: list[str] = []
        self._behind = ""
        self._began = ledger.now

    def entering(self, name: str) -> Any:
        """A hook for before a module's forward pass."""

        def enter(module: nn.Module, arguments: Any) -> None:
            if not self._names and self._ledger.phase == "backward":
                self._began = self._ledger.now
            self._names.append(name)
            self._ledger.module = name

        return enter

    def leaving(self, name: str) -> Any:
        """A hook for after it."""

        def leave(module: nn.Module, arguments: Any, output: Any) -> None:
            self._names.pop()
            self._ledger.module = self._names[-1] if self._names else self._behind
            first = output[0] if isinstance(output, tuple) and output else output
            if self._ledger.phase == "backward":
                if not self._names:
                    self._ledger.spans.append((self._began, self._ledger.now))
            elif isinstance(first, torch.Tensor) and first.requires_grad:
                first.register_hook(lambda _: self._reach(name))  # type: ignore[no-untyped-call]

        return leave

    def turn(self) -> None:
        """The forward pass is over, its loss outside of any module."""
        self._ledger.spans.append((self._began, self._ledger.now))
        self._ledger.phase, self._ledger.module = "backward", ""

    def _reach(self, name: str) -> None:
        self._behind = self._ledger.module = name
