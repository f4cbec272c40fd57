"""From the values of a config.json to a model's shape."""

from __future__ import annotations

from collections.abc import Callable

from luthier.trainers.errors import LuthierError

from .decoders import decoder
from .encoders import distilbert, encoder, modern_encoder, pair
from .images import convolutional_detector, image_encoder, vision_language
from .reading_config import Config
from .shape import ModelShape

_BUILDERS: dict[str, Callable[[Config, str], ModelShape]] = {
    **dict.fromkeys(
        ("bert", "roberta", "xlm-roberta", "camembert", "electra", "mpnet", "deberta-v2"), encoder
    ),
    "distilbert": distilbert,
    "modernbert": modern_encoder,
    **dict.fromkeys(("t5", "mt5", "umt5", "bart", "mbart", "marian", "pegasus"), pair),
    **dict.fromkeys(("vit", "deit", "yolos", "dinov2", "clip_vision_model",
                     "siglip_vision_model", "idefics3_vision"), image_encoder),
    **dict.fromkeys(("detr", "table-transformer"), convolutional_detector),
}  # fmt: skip


def shape_of_config(config: Config, name: str) -> ModelShape:
    """The shape of the model that a configuration describes.

    Args:
        config: the values of config.json.
        name: folder or hub id, for messages.

    Raises:
        LuthierError: it does not tell the sizes of a language, image or encoder model.
    """
    kind = str(config.get("model_type", ""))
    default = vision_language if "text_config" in config and "vision_config" in config else decoder
    try:
        return _BUILDERS.get(kind, default)(config, name)
    except (KeyError, TypeError, ValueError, IndexError, ZeroDivisionError) as error:
        raise LuthierError(
            f"The configuration of {name} ({kind or 'a model of no named kind'}) does not tell "
            f"the sizes of its layers ({error}).",
            hint="The exact estimate builds the model itself: luthier estimate SPEC --exact",
        ) from error
