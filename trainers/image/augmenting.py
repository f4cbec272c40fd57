"""Random changes of pictures and of the boxes on them. Torch-free, by Pillow alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from PIL import Image, ImageEnhance

from .rows import Box

_TRIES = 10
_NARROWEST = 3 / 4
# A thing of which a crop leaves less is not to be recognised.
_LEAST_VISIBLE = 0.3
_GREY = (128, 128, 128)


@dataclass(frozen=True)
class Augmentation:
    """What may happen to a picture; see the training section for what each number means.

    Attributes:
        flip: none, horizontal, vertical or both.
        crop: smallest share of the area that a crop keeps.
        color: largest change of brightness, contrast and saturation.
        rotation: largest turn in degrees; only where there are no boxes.
    """

    flip: str = "none"
    crop: float = 1.0
    color: float = 0.0
    rotation: float = 0.0

    @classmethod
    def of(cls, training: Any) -> Augmentation:
        """What a training section asks for."""
        rotation = getattr(training, "random_rotation", 0.0)
        return cls(training.random_flip, training.random_crop, training.random_color, rotation)

    def __call__(
        self, image: Image.Image, chance: Random, boxes: Sequence[Box] = ()
    ) -> tuple[Image.Image, list[Box | None]]:
        """The picture changed, and where each box is then.

        Args:
            image: in RGB.
            chance: decides everything.
            boxes: (left, top, width, height) in pixels.

        Returns:
            The picture, and for each box where it is; None when too little of it is left.
        """
        kept: list[Box | None] = list(boxes)
        if self.rotation:
            angle = chance.uniform(-self.rotation, self.rotation)
            image = image.rotate(angle, Image.Resampling.BILINEAR, fillcolor=_GREY)
        if self.crop < 1:
            image, kept = self._cropped(image, chance, boxes)
        for name, method in (
            ("horizontal", Image.Transpose.FLIP_LEFT_RIGHT),
            ("vertical", Image.Transpose.FLIP_TOP_BOTTOM),
        ):
            if self.flip in (name, "both") and chance.random() < 0.5:
                image = image.transpose(method)
                kept = [box and _mirrored(box, image.size, name) for box in kept]
        if self.color:
            for change in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
                image = change(image).enhance(chance.uniform(1 - self.color, 1 + self.color))
        return image, kept

    def _cropped(
        self, image: Image.Image, chance: Random, boxes: Sequence[Box]
    ) -> tuple[Image.Image, list[Box | None]]:
        """A part of the picture with a box on it when there was any; all of it failing that."""
        for _ in range(_TRIES):
            place = _part(image.size, self.crop, chance)
            kept = [_inside(box, place) for box in boxes]
            if not boxes or any(kept):
                return image.crop(place), kept
        return image, list(boxes)


def _part(size: tuple[int, int], least: float, chance: Random) -> tuple[int, int, int, int]:
    """A random part as left, top, right, bottom: so much of the area, no narrower than 3 to 4."""
    width, height = size
    share = chance.uniform(least, 1)
    shape = math.exp(chance.uniform(math.log(_NARROWEST), -math.log(_NARROWEST)))
    wide = max(1, min(width, round(width * math.sqrt(share * shape))))
    high = max(1, min(height, round(height * math.sqrt(share / shape))))
    left, top = chance.randint(0, width - wide), chance.randint(0, height - high)
    return left, top, left + wide, top + high


def _inside(box: Box, place: tuple[int, int, int, int]) -> Box | None:
    left, top, width, height = box
    begin, end = max(left, place[0]), min(left + width, place[2])
    above, below = max(top, place[1]), min(top + height, place[3])
    visible = max(0.0, end - begin) * max(0.0, below - above)
    if visible < _LEAST_VISIBLE * width * height:
        return None
    return begin - place[0], above - place[1], end - begin, below - above


def _mirrored(box: Box, size: tuple[int, int], way: str) -> Box:
    left, top, width, height = box
    if way == "horizontal":
        return size[0] - left - width, top, width, height
    return left, size[1] - top - height, width, height
