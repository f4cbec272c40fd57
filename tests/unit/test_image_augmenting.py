"""Random changes of pictures: repeatable, and boxes go where their things go."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from luthier.trainers.image.augmenting import Augmentation

_BOX = (10.0, 20.0, 30.0, 15.0)


def _picture() -> Image.Image:
    """Black where the box is, else white."""
    image = Image.new("RGB", (80, 60), "white")
    image.paste((0, 0, 0), (10, 20, 40, 35))
    return image


def _dark(image: Image.Image) -> tuple[int, int, int, int] | None:
    return image.convert("L").point(lambda value: 255 * (value < 100)).getbbox()


@pytest.mark.parametrize("flip", ["none", "horizontal", "vertical", "both"])
@given(seed=st.integers(0, 999), crop=st.floats(0.05, 1), color=st.floats(0, 0.3))
def test_boxes_go_with_their_things(flip: str, seed: int, crop: float, color: float) -> None:
    changed, (box,) = Augmentation(flip, crop, color)(_picture(), Random(seed), [_BOX])
    # A crop that leaves no box is not made.
    assert box is not None
    left, top, width, height = box
    assert _dark(changed) == (left, top, left + width, top + height)


@given(seed=st.integers(0, 999))
def test_crops_keep_their_share(seed: int) -> None:
    changed, _ = Augmentation(crop=0.4)(_picture(), Random(seed))
    assert changed.width * changed.height >= 0.25 * 80 * 60
    assert changed.width <= 80
    assert changed.height <= 60


@given(seed=st.integers(0, 999), turn=st.floats(1, 180))
def test_the_same_chance_gives_the_same_picture(seed: int, turn: float) -> None:
    augmentation = Augmentation("both", 0.5, 0.3, turn)
    one, other = (augmentation(_picture(), Random(seed))[0] for _ in range(2))
    assert one.tobytes() == other.tobytes()


def test_half_of_the_pictures_are_mirrored() -> None:
    flips = [Augmentation("horizontal")(_picture(), Random(seed), [_BOX]) for seed in range(200)]
    mirrored = sum(box == (40.0, 20.0, 30.0, 15.0) for _, (box,) in flips)
    assert 60 < mirrored < 140
    assert all(box in (_BOX, (40.0, 20.0, 30.0, 15.0)) for _, (box,) in flips)


def test_what_a_crop_cuts_off_is_gone() -> None:
    small, other = (0.0, 0.0, 4.0, 4.0), (70.0, 50.0, 8.0, 8.0)
    seen = set()
    for seed in range(100):
        _, kept = Augmentation(crop=0.2)(_picture(), Random(seed), [small, other])
        assert any(kept)
        seen.add(tuple(box is None for box in kept))
    assert (True, False) in seen
    assert (False, True) in seen


def test_nothing_happens_unasked() -> None:
    changed, (box,) = Augmentation()(_picture(), Random(0), [_BOX])
    assert changed.tobytes() == _picture().tobytes()
    assert box == _BOX
