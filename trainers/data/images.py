"""Pictures: files, or the bytes that tables hold. Loads Pillow when the first one is opened."""

from __future__ import annotations

import hashlib
import os
import warnings
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import LuthierError
from .cells import EmptyCellError, MistakeError, kind_of
from .records import Cells

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")

# Others, such as EPS, run programs.
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
_ORIENTATION = 0x0112
_LYING = (5, 6, 7, 8)


class PictureError(LuthierError):
    """A picture that cannot be read. The sentence names it."""


@dataclass(frozen=True)
class Picture:
    """A picture that was looked at as a whole and can be read. Equal content compares equal.

    Attributes:
        digest: sha256 (hexadecimal) of the file's content.
        size: width and height in pixels, upright.
        name: its file's path, or the name that its table gives.
        path: its file; None where a table holds the bytes.
        data: the bytes; None where there is a file.
    """

    digest: str
    size: tuple[int, int]
    name: str = field(repr=False, compare=False)
    path: Path | None = field(default=None, repr=False, compare=False)
    data: bytes | None = field(default=None, repr=False, compare=False)

    def open(self) -> Image:
        """The picture upright and in RGB. Raises PictureError when it has changed or is gone."""
        content = self.data if self.path is None else self.path
        assert content is not None
        return open_picture(content, self.name)

    def __str__(self) -> str:
        return self.name


def open_picture(content: Path | bytes, name: str = "") -> Image:
    """A picture upright as its EXIF data says, in RGB, on white where it is transparent.

    Args:
        content: a file, or its bytes.
        name: for error texts; silent: the file's.

    Raises:
        PictureError: it is not there, no picture, cut short, or too large.
    """
    from PIL import ImageOps

    name = name or _name(content)
    image = _opened(content, name)
    try:
        image.load()
        return _rgb(ImageOps.exif_transpose(image))
    except Exception as error:
        raise _broken(name, error) from error


def read_picture(content: Path | bytes, name: str = "") -> Picture:
    """Look at every byte of a picture, so that it opens later.

    Args:
        content: a file, or its bytes.
        name: for error texts, and of a picture without a file; silent: the file's path.

    Raises:
        PictureError: it is not there, no picture, cut short, or too large.
    """
    name = name or _name(content)
    data = _bytes(content, name)
    image = _opened(data, name)
    width, height = image.size
    try:
        # A JPEG is decoded at an eighth of its size: all of it is read, and quickly.
        image.draft("RGB", (1, 1))
        image.load()
        lying = image.getexif().get(_ORIENTATION) in _LYING
    except Exception as error:
        raise _broken(name, error) from error
    return Picture(
        digest=hashlib.sha256(data).hexdigest(),
        size=(height, width) if lying else (width, height),
        name=str(content) if isinstance(content, Path) else name,
        path=content if isinstance(content, Path) else None,
        data=None if isinstance(content, Path) else data,
    )


def picture_cell(cells: Cells, role: str) -> Picture:
    """The picture that a cell names or holds: a path, bytes, or {bytes, path} as datasets has it.

    Raises:
        EmptyCellError: the cell is empty.
        MistakeError: there is no such file, or it is no picture that can be read.
    """
    value, column = cells.value(role), cells.name(role)
    if isinstance(value, str) and value.startswith(("http://", "https://")):
        raise MistakeError(f"{column} is a web address; download the picture and name its file")
    data, name = _held(value, column)
    try:
        if data is None:
            return read_picture(cells.file(role), name)
        return read_picture(data, name or f"the picture in {column}")
    except PictureError as error:
        raise MistakeError(f"{column} cannot be used: {error}") from error


def given_picture(value: Any) -> Image:
    """A picture to predict from: a path, or {bytes, path}. Raises PictureError."""
    try:
        data, name = _held(value, "image")
    except (EmptyCellError, MistakeError) as error:
        raise PictureError(f"The input cannot be used: {error}.") from error
    if data is not None:
        return open_picture(data, name or "the picture")
    return open_picture(Path(os.path.expanduser(name)), name)


def _held(value: Any, column: str) -> tuple[bytes | None, str]:
    """The bytes in a cell, if it holds them, and the name. Raises MistakeError."""
    name = ""
    if isinstance(value, dict):
        name, value = str(value.get("path") or ""), value.get("bytes") or value.get("path")
        if value is None:
            raise EmptyCellError(f"{column} is empty")
    if isinstance(value, bytes | bytearray):
        return bytes(value), name
    if isinstance(value, str | Path) and str(value).strip():
        return None, str(value)
    raise MistakeError(f"{column} is {kind_of(value)}, not the name of a picture's file")


def _name(content: Path | bytes) -> str:
    return str(content) if isinstance(content, Path) else "the picture"


def _bytes(content: Path | bytes, name: str) -> bytes:
    if isinstance(content, bytes):
        return content
    try:
        return content.read_bytes()
    except OSError as error:
        raise PictureError(f"{name} cannot be read: {error.strerror or error}.") from error


def _opened(content: Path | bytes, name: str) -> Image:
    """The picture's header read, and its size found bearable."""
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise PictureError(
            "Pictures need Pillow, which is not installed.",
            hint="Run: pip install 'luthier[train]'",
        ) from error
    data = _bytes(content, name)
    if not data:
        raise PictureError(f"{name} is an empty file.")
    Image.init()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(BytesIO(data), formats=_FORMATS)
    except UnidentifiedImageError as error:
        kinds = ", ".join(_FORMATS)
        raise PictureError(f"{name} is no picture of a known kind ({kinds}).") from error
    except Image.DecompressionBombError as error:
        raise PictureError(f"{name} has far too many pixels; make it smaller.") from error
    except Exception as error:
        raise _broken(name, error) from error
    pixels, most = image.width * image.height, Image.MAX_IMAGE_PIXELS
    if most is not None and pixels > most:
        raise PictureError(
            f"{name} has {pixels / 1e6:.0f} million pixels, more than {most / 1e6:.0f} million; "
            "make it smaller."
        )
    return image


def _rgb(image: Image) -> Image:
    from PIL import Image as Images

    if image.mode.startswith("I"):
        # 16 bits a pixel, of which a plain conversion would keep the lowest 8.
        return image.point(lambda value: value * (1 / 256)).convert("L").convert("RGB")
    if "A" in image.mode or "transparency" in image.info:
        clear = image.convert("RGBA")
        return Images.alpha_composite(Images.new("RGBA", clear.size, "white"), clear).convert("RGB")
    return image.convert("RGB")


def _broken(name: str, error: Exception) -> PictureError:
    """What decoders raise about a broken file, whatever its type, as one sentence."""
    reason = " ".join(str(error).split()).rstrip(".")
    if "truncated" in reason.lower():
        return PictureError(f"{name} is cut short (truncated); copy it again.")
    return PictureError(f"{name} is broken ({reason or type(error).__name__}); copy it again.")
