"""Models with every module and shape of the real ones, and nothing in their tensors."""

from __future__ import annotations

from typing import Any

import bitsandbytes as bnb
import torch
from bitsandbytes.functional import QuantState
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor
from transformers import AutoConfig
from transformers.quantizers.auto import AutoHfQuantizer

from ..engine.models import model_class, quantisation
from ..errors import LuthierError
from ..spec import GradientSpec

# What bitsandbytes' quantize_4bit and transformers' loading use.
_BLOCK_4BIT = 64
_BLOCK_CONSTANTS = 256


def load_hollow(spec: GradientSpec, compute: torch.dtype, **options: Any) -> Any:
    """The base model on the meta device, made from its configuration alone.

    Args:
        spec: the run's.
        compute: number type in which 4-bit weights are multiplied.
        options: settings of the configuration, such as ``num_labels``.

    Raises:
        LuthierError: its configuration cannot be read.
    """
    section = spec.model
    try:
        config = AutoConfig.from_pretrained(
            section.name_or_path,
            revision=section.revision,
            trust_remote_code=section.trust_remote_code,
            **options,
        )
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise LuthierError(
            f"model.name_or_path: the configuration of {section.name_or_path} cannot be read: "
            f"{reason}"
        ) from error
    with torch.device("meta"):
        model = model_class(spec).from_config(
            config,
            dtype=_dtype(section.dtype, config),
            attn_implementation=attention(section.attn_implementation, model_class(spec), config),
            trust_remote_code=section.trust_remote_code,
        )
    if section.load_in_4bit or section.load_in_8bit:
        _quantise(model, quantisation(section, compute))
    # Tells trainers that the model is where it is to stay.
    model.hf_device_map = {"": "cpu"}
    return model


def hollow(
    kind: Any,
    config: Any,
    *,
    dtype: Any = "auto",
    attn_implementation: str | None = None,
    quantization_config: Any = None,
    **_: Any,
) -> Any:
    """A model of that class on the meta device, as its ``from_pretrained`` would make it.

    Args:
        kind: a class of transformers' models.
        config: its configuration.
        dtype: of its numbers; auto: as the configuration says.
        attn_implementation: silent: the best that it knows.
        quantization_config: of bitsandbytes.
    """
    asked = {} if attn_implementation is None else {"attn_implementation": attn_implementation}
    number = _dtype("auto", config) if dtype in ("auto", None) else dtype
    with torch.device("meta"):
        model = kind._from_config(config, dtype=number, **asked)
    if quantization_config is not None:
        _quantise(model, quantization_config)
    model.hf_device_map = {"": "cpu"}
    return model


def attention(asked: str, auto_class: Any, config: Any) -> str | None:
    """The attention to rehearse with; flash_attention_2 keeps the same tensors as sdpa."""
    if asked == "eager":
        return "eager"
    loaded = auto_class._model_mapping.get(type(config), None)
    classes = loaded if isinstance(loaded, tuple) else (loaded,)
    return "sdpa" if any(getattr(kind, "_supports_sdpa", False) for kind in classes) else None


def _dtype(asked: str, config: Any) -> torch.dtype:
    if asked != "auto":
        return getattr(torch, asked)  # type: ignore[no-any-return]
    text = config.get_text_config()
    return config.dtype or text.dtype or torch.float32


def _quantise(model: Any, config: Any) -> None:
    """Put bitsandbytes' layers in, as loading a real model does."""
    quantiser = AutoHfQuantizer.from_config(config)
    quantiser.preprocess_model(model, device_map={"": "cpu"})
    quantiser.postprocess_model(model)
    model.hf_quantizer = quantiser


def fill(model: nn.Module) -> None:
    """Give every tensor that is not fake a fake one instead; tied ones stay tied.

    To be called inside a FakeTensorMode. Quantised weights get the sizes that bitsandbytes
    gives them, which fake tensors cannot work out.
    """
    made: dict[int, Any] = {}
    for module in model.modules():
        if isinstance(module, bnb.nn.Linear4bit) and module.weight.device.type == "meta":
            module.weight = _in_4_bits(module)
        elif isinstance(module, bnb.nn.Linear8bitLt) and module.weight.device.type == "meta":
            _fill_8_bits(module)
        for name, parameter in module._parameters.items():
            if parameter is not None and not isinstance(parameter, FakeTensor):
                if id(parameter) not in made:
                    made[id(parameter)] = nn.Parameter(_empty(parameter), parameter.requires_grad)
                module._parameters[name] = made[id(parameter)]
        for name, buffer in module._buffers.items():
            if buffer is not None and not isinstance(buffer, FakeTensor):
                module._buffers[name] = made.setdefault(id(buffer), _empty(buffer))


def constants(model: nn.Module) -> list[torch.Tensor]:
    """The quantisation constants, which are no parameters."""
    found = []
    for module in model.modules():
        if isinstance(module, bnb.nn.Linear4bit):
            state = getattr(module.weight, "quant_state", None)
            while state is not None:
                found += [state.absmax, state.code]
                state = state.state2
        elif isinstance(module, bnb.nn.Linear8bitLt) and module.state.SCB is not None:
            found.append(module.state.SCB)
    return found


def _empty(like: torch.Tensor) -> torch.Tensor:
    return torch.empty(like.shape, dtype=like.dtype, device="cpu")


def _in_4_bits(layer: Any) -> Any:
    weight = layer.weight
    count, shape = weight.numel(), weight.shape
    blocks = -(-count // _BLOCK_4BIT)
    packed: Any = nn.Parameter(torch.empty((count + 1) // 2, 1, dtype=torch.uint8), False)
    common = {
        "shape": shape,
        "code": torch.empty(16),
        "blocksize": _BLOCK_4BIT,
        "quant_type": weight.quant_type,
        "dtype": layer.compute_dtype or torch.float32,
    }
    if weight.compress_statistics:
        second = QuantState(
            absmax=torch.empty(-(-blocks // _BLOCK_CONSTANTS)),
            code=torch.empty(256),
            blocksize=_BLOCK_CONSTANTS,
            dtype=torch.float32,
        )
        state = QuantState(
            absmax=torch.empty(blocks, dtype=torch.uint8),
            offset=torch.empty(()),
            state2=second,
            **common,
        )
    else:
        state = QuantState(absmax=torch.empty(blocks), **common)
    packed.quant_state = state
    return packed


def _fill_8_bits(layer: Any) -> None:
    rows, columns = layer.weight.shape
    weight: Any = nn.Parameter(torch.empty(rows, columns, dtype=torch.int8), False)
    weight.CB = weight.SCB = None
    layer._parameters["weight"] = weight
    layer.state.CB, layer.state.SCB = weight.data, torch.empty(rows)
