"""One base model and the voices that answer with it. Loads torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import LuthierError
from ..spec import ModelSection
from .loading import (
    add_adapter,
    context_length,
    find_device,
    load_adapter_tokenizer,
    load_model,
    load_tokenizer,
    release_memory,
)
from .template import Format, make_format


class Voices:
    """The base model, loaded once, and its adapters by name.

    The model's own voice answers with every adapter switched off. It uses the model's own chat
    template, or, where the model has none, that of the first adapter that brings one, so that
    both can be asked the same.
    """

    def __init__(self, section: ModelSection, own_voice: str, system_prompt: str) -> None:
        self._section = section
        self._own_voice = own_voice
        self._base = load_model(section, find_device())
        self._model = self._base
        self._ends = _own_ends(self._base)
        own = make_format(load_tokenizer(section), self._ends, system_prompt)
        self._formats = {own_voice: own}
        self._virtual_tokens: dict[str, int] = {}
        # The named settings must mean the same for every model, so what its repository suggests
        # for sampling does not count.
        self._base.generation_config = type(self._base.generation_config)()

    @property
    def device(self) -> Any:
        """Where the model is (a torch.device)."""
        return self._base.device

    @property
    def dtype(self) -> str:
        """The number type of the base weights."""
        return str(self._base.dtype).removeprefix("torch.")

    @property
    def context(self) -> int | None:
        """The longest sequence, prompt and answer together."""
        return context_length(self._base)

    def add(self, name: str, folder: Path, system_prompt: str) -> None:
        """Load an adapter under that name. Raises LuthierError when it does not fit."""
        if name in self._formats:
            raise LuthierError(f"There is a voice {name} already.")
        tokenizer = load_adapter_tokenizer(folder, self._section)
        try:
            self._model = add_adapter(self._model, folder, name)
        except RuntimeError as error:
            if "size mismatch" not in str(error):
                raise
            raise LuthierError(
                f"The adapter in {folder} does not fit {self._section.name_or_path}: its weights "
                "have other shapes."
            ) from error
        config = self._model.peft_config[name]
        if config.is_prompt_learning:
            self._virtual_tokens[name] = config.num_virtual_tokens
        self._formats[name] = make_format(tokenizer, self._ends, system_prompt)
        own = self._formats[self._own_voice]
        if not own.tokenizer.chat_template and tokenizer.chat_template:
            self._formats[self._own_voice] = make_format(tokenizer, self._ends)

    def release_memory(self) -> None:
        """Give back what a broken generation left."""
        release_memory(self.device)

    def format(self, voice: str) -> Format:
        """How that voice's conversations look. Raises LuthierError for an unknown voice."""
        try:
            return self._formats[voice]
        except KeyError:
            known = ", ".join(self._formats)
            raise LuthierError(f"There is no voice {voice!r} here; there are {known}.") from None

    def room(self, voice: str) -> int | None:
        """How many tokens prompt and answer may have together."""
        context = self.context
        return context and context - self._virtual_tokens.get(voice, 0)

    @contextmanager
    def speaking(self, voice: str) -> Iterator[Any]:
        """The model to call ``generate`` on while that voice speaks."""
        if self._model is self._base:
            yield self._base
        elif voice == self._own_voice:
            with self._model.disable_adapter():
                yield self._base
        else:
            self._model.set_adapter(voice, inference_mode=True)
            yield self._model


def _own_ends(model: Any) -> list[int]:
    ends = model.generation_config.eos_token_id
    if ends is None:
        return []
    return [int(end) for end in ends] if isinstance(ends, list) else [int(ends)]
