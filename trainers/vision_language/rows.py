"""How the vision-language tasks read and check their rows. Torch-free.

``values["pictures"]`` is the list of a row's pictures, ``values["question"]`` what the model is
told with them, ``values["answer"]`` what it is to say. A chat has ``values["turns"]`` beside it:
the messages before the answer, each ``{"role", "content"}`` with a list of parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..data.cells import MistakeError, kind_of, whole_characters
from ..data.image_folders import PictureRules
from ..data.images import Picture, picture_cell
from ..data.records import Cells, Record
from ..tasks.vlm_captioning import CaptioningSpec
from .settings import PictureSpec

_ROLES = {"system": "system", "user": "user", "assistant": "assistant"}
_ROLES |= {"human": "user", "gpt": "assistant"}


class PictureTextRules(PictureRules[PictureSpec]):
    """Pictures with a text to learn."""

    def pictures(self, cells: Cells) -> list[Picture]:
        """The pictures of a row, one or several."""
        held = self.held(cells)
        if not held:
            text = f"{cells.name('image')} is an empty list; a row needs a picture"
            raise MistakeError(text)
        return [picture_cell(cells.holding("image", each), "image") for each in held]

    def content(self, record: Record) -> str:
        return " ".join(picture.digest for picture in record.values["pictures"])

    def shown_pictures(self, record: Record) -> str | list[str]:
        """Where the row's pictures are, as an input of a prediction."""
        names = [str(picture.path or picture.name) for picture in record.values["pictures"]]
        return names[0] if len(names) == 1 else names


class CaptionRows(PictureTextRules):
    """A picture, and what is said about it."""

    spec: CaptioningSpec

    def read(self, cells: Cells) -> dict[str, Any]:
        return {
            "answer": cells.text("caption"),
            "question": self.spec.data.instruction,
            "pictures": self.pictures(cells),
        }

    def shown(self, record: Record) -> dict[str, Any]:
        return {
            "image": self.shown_pictures(record),
            "instruction": record.values["question"],
            "caption": record.values["answer"],
        }


class QuestionRows(PictureTextRules):
    """A picture, a question about it, and the answer; or a chat that ends with one."""

    def read(self, cells: Cells) -> dict[str, Any]:
        if cells.has("messages") or (cells.columns("messages") and not cells.columns("question")):
            return self._chat(cells)
        return {
            "question": cells.text("question"),
            "answer": cells.text("answer"),
            "pictures": self.pictures(cells),
        }

    def _chat(self, cells: Cells) -> dict[str, Any]:
        name = cells.name("messages")
        turns = [_turn(message, name) for message in cells.items("messages")]
        if turns[-1]["role"] != "assistant":
            raise MistakeError(f"{name} does not end with a message of the assistant")
        if not any(turn["role"] == "user" for turn in turns):
            raise MistakeError(f"{name} has no message of the user")
        *asked, answer = turns
        if any(part["type"] == "image" for part in answer["content"]):
            raise MistakeError(f"the answer in {name} holds a picture; models write text alone")
        pictures = self.pictures(cells)
        _place(asked, len(pictures), name)
        last = next(turn for turn in reversed(asked) if turn["role"] == "user")
        said = _text(answer)
        if not said.strip():
            raise MistakeError(f"the last message in {name} has no text")
        return {"question": _text(last), "answer": said, "turns": asked, "pictures": pictures}

    def shown(self, record: Record) -> dict[str, Any]:
        return {
            "image": self.shown_pictures(record),
            "question": record.values["question"],
            "answer": record.values["answer"],
        }


def _turn(message: Any, name: str) -> dict[str, Any]:
    """A message with its content as a list of parts. Raises MistakeError."""
    if not isinstance(message, dict):
        raise MistakeError(f"{name} holds {kind_of(message)}, not messages")
    role = message.get("role", message.get("from"))
    content = message.get("content", message.get("value"))
    if role not in _ROLES:
        known = "system, user or assistant"
        raise MistakeError(f"a message in {name} has the role {role!r}, not {known}")
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    if not isinstance(content, list):
        raise MistakeError(f"a message in {name} has {kind_of(content)} as its content")
    return {"role": _ROLES[role], "content": [_part(part, name) for part in content]}


def _part(part: Any, name: str) -> dict[str, str]:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "image":
        return {"type": "image"}
    if kind == "text" and isinstance(part.get("text"), str):
        return {"type": "text", "text": whole_characters(part["text"], name)}
    raise MistakeError(
        f'a part of a message in {name} is neither {{"type": "text", "text": ...}} nor '
        '{"type": "image"}'
    )


def _place(turns: Sequence[dict[str, Any]], pictures: int, name: str) -> None:
    """Put the pictures before the first question where no message says where they belong."""
    marked = sum(part["type"] == "image" for turn in turns for part in turn["content"])
    if not marked:
        first = next(turn for turn in turns if turn["role"] == "user")
        first["content"] = [{"type": "image"}] * pictures + first["content"]
    elif marked != pictures:
        count = f"{pictures} picture" + ("s" if pictures != 1 else "")
        raise MistakeError(f"{name} has places for {marked} pictures, but the row has {count}")


def _text(turn: dict[str, Any]) -> str:
    return "".join(part["text"] for part in turn["content"] if part["type"] == "text")
