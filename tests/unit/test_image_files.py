"""Pictures: opened upright in RGB, or refused in one sentence."""

from __future__ import annotations

import contextlib
import io
import random
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from luthier.trainers.data.cells import EmptyCellError, MistakeError
from luthier.trainers.data.images import (
    Picture,
    PictureError,
    given_picture,
    open_picture,
    picture_cell,
    read_picture,
)
from luthier.trainers.data.records import Cells


def _noise(width: int = 20, height: int = 10) -> Image.Image:
    content = random.Random(0).randbytes(width * height * 3)
    return Image.frombytes("RGB", (width, height), content)


def _bytes(kind: str = "PNG", image: Image.Image | None = None, **options: Any) -> bytes:
    file = io.BytesIO()
    (image or _noise()).save(file, kind, **options)
    return file.getvalue()


def _bomb(pixels: int) -> bytes:
    """A PNG whose header promises that many rows of a pixel."""
    header = struct.pack(">IIBBBBB", pixels, 1, 8, 2, 0, 0, 0)
    chunks = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", header), (b"IDAT", b""), (b"IEND", b""))
    )
    return b"\x89PNG\r\n\x1a\n" + chunks


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"])
def test_known_kinds_open(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.x"
    path.write_bytes(_bytes(kind))
    found = read_picture(path)
    assert found.size == (20, 10)
    assert found.path == path
    assert str(found) == str(path)
    assert (found.open().mode, found.open().size) == ("RGB", (20, 10))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_stand_upright(orientation: int) -> None:
    image = Image.new("RGB", (20, 10), "white")
    image.putpixel((0, 0), (0, 0, 0))
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = read_picture(_bytes("PNG", image, exif=exif))
    opened = found.open()
    assert opened.size == found.size
    assert found.size == ((10, 20) if orientation >= 5 else (20, 10))
    corners = {1: (0, 0), 2: (19, 0), 3: (19, 9), 4: (0, 9), 5: (0, 0), 6: (9, 0), 7: (9, 19),
               8: (0, 19)}  # fmt: skip
    assert opened.getpixel(corners[orientation]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("mode", "color", "expected"),
    [
        ("L", 7, (7, 7, 7)),
        ("1", 1, (255, 255, 255)),
        ("I;16", 0x8000, (128, 128, 128)),
        ("RGBA", (9, 9, 9, 0), (255, 255, 255)),
        ("LA", (9, 255), (9, 9, 9)),
        ("CMYK", (0, 255, 255, 0), (255, 0, 0)),
    ],
)
def test_every_mode_becomes_rgb(mode: str, color: Any, expected: tuple[int, int, int]) -> None:
    kind = "TIFF" if mode in ("CMYK", "I;16") else "PNG"
    opened = open_picture(_bytes(kind, Image.new(mode, (2, 2), color)))
    assert opened.mode == "RGB"
    assert opened.getpixel((1, 1)) == expected


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "a.png is an empty file"),
        (b"not a picture", "a.png is no picture of a known kind"),
        (_bytes("PNG")[:200], r"a.png is (cut short|broken)"),
        (_bytes("JPEG")[:-200], r"a.png is cut short \(truncated\); copy it again"),
        (_bytes("PNG").replace(b"IDAT", b"IDAX"), "a.png is "),
        (_bomb(100_000_000), "a.png has 100 million pixels, more than 89 million; make it smaller"),
        (_bomb(400_000_000), "a.png has far too many pixels; make it smaller"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no picture of a known kind"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "a.png").write_bytes(content)
    for read in (read_picture, open_picture):
        with pytest.raises(PictureError, match=sentence):
            read(tmp_path / "a.png")


@given(st.binary(max_size=60), st.integers(0, 200))
def test_any_content_is_read_or_refused(junk: bytes, place: int) -> None:
    for kind in ("PNG", "JPEG", "GIF", "TIFF", "WEBP"):
        content = _bytes(kind)
        with contextlib.suppress(PictureError):
            read_picture(content[:place] + junk + content[place + len(junk) :])


def _cell(value: Any, folder: Path | None = None) -> Picture:
    return picture_cell(Cells({"image": value}, {"image": "image"}, folder), "image")


def test_cells_name_or_hold_pictures(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(_bytes())
    by_name = _cell("a.png", tmp_path)
    assert by_name.path == tmp_path / "a.png"
    held = [_cell(_bytes()), _cell({"bytes": _bytes(), "path": "b.png"})]
    assert [each.name for each in held] == ["the picture in image", "b.png"]
    # The same content is the same picture, wherever it is.
    assert by_name == held[0] == held[1]
    assert repr(by_name) == repr(held[0])
    assert _cell({"bytes": None, "path": "a.png"}, tmp_path) == by_name
    assert held[0].open().size == (20, 10)


@pytest.mark.parametrize(
    ("value", "error", "sentence"),
    [
        (None, EmptyCellError, "image is empty"),
        ({"bytes": None, "path": None}, EmptyCellError, "image is empty"),
        (5, MistakeError, "image is a number, not the name of a picture's file"),
        ("b.png", MistakeError, "image names 'b.png', and there is no such file"),
        ("https://a.org/b.png", MistakeError, "image is a web address; download the picture"),
        (b"junk", MistakeError, "image cannot be used: the picture in image is no picture"),
    ],
)
def test_cells_that_hold_none(value: Any, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        _cell(value)


def test_inputs_of_predictions(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(_bytes())
    assert given_picture(str(tmp_path / "a.png")).size == (20, 10)
    assert given_picture({"bytes": _bytes(), "path": None}).mode == "RGB"
    for wrong in (str(tmp_path / "none.png"), 7, {"bytes": None}):
        with pytest.raises(PictureError):
            given_picture(wrong)
