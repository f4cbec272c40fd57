"""Settings that the image tasks share."""

from __future__ import annotations

from typing import Literal

from .parameter import parameter
from .sections import TrainingSection


class ImageTrainingSection(TrainingSection):
    """How pictures are varied, beside the common settings. Nothing is varied unless asked for.

    What happens to a picture is decided by the seed, the epoch and its row, so a resumed run sees
    what an uninterrupted one sees.
    """

    random_flip: Literal["none", "horizontal", "vertical", "both"] = parameter(
        "none",
        "Mirror half of the pictures, anew in every epoch. Not for letters or arrows.",
        level="beginner",
        group="augmentation",
    )
    random_crop: float = parameter(
        1.0,
        "Smallest share of a picture that a random crop keeps; 1 crops nothing, 0.5 is usual.",
        level="beginner",
        gt=0,
        le=1,
        group="augmentation",
    )
    random_color: float = parameter(
        0.0,
        "Largest random change of brightness, contrast and saturation; 0.2 is usual.",
        ge=0,
        lt=1,
        group="augmentation",
    )


class TurnedImageTrainingSection(ImageTrainingSection):
    """The same where pictures may be turned, too."""

    random_rotation: float = parameter(
        0.0,
        "Largest random turn to either side; corners that open are grey.",
        unit="degrees",
        ge=0,
        le=180,
        group="augmentation",
    )
