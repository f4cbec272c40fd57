"""The presets: the library's, and a person's own."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Query

import luthier.presets
from luthier.presets.own import OwnPresets
from luthier.trainers.errors import LuthierError

from ..models import Preset, PresetCopy, PresetProblems, PresetText
from .agent import Parts
from .errors import ApiError, replies

router = APIRouter(prefix="/v1", tags=["presets"])
TaskId = Annotated[str, Path(description="Such as llm-sft.")]
Kind = Annotated[
    str, Path(description="Such as balanced; several joined by + are one, the later winning.")
]


@router.get("/presets", responses=replies(404))
def list_presets(
    parts: Parts, task: Annotated[str | None, Query(description="Only this task's.")] = None
) -> list[Preset]:
    """The ready parts of specs, one's own among them."""
    try:
        found = _own(parts).library.presets(task)
    except LuthierError as error:
        raise ApiError(404, error.message, hint=error.hint) from error
    return [_told(preset) for preset in found]


@router.get("/presets/problems")
def preset_problems(parts: Parts) -> PresetProblems:
    """Check one's own presets."""
    library = _own(parts).library
    return PresetProblems(checked=len(library.own()), problems=library.problems())


@router.get("/presets/{task}/{kind}", responses=replies(404))
def get_preset(task: TaskId, kind: Kind, parts: Parts) -> Preset:
    """One preset."""
    return _told(_found(parts, f"{task}/{kind}"))


@router.get("/presets/{task}/{kind}/text", responses=replies(404))
def preset_text(task: TaskId, kind: Kind, parts: Parts) -> PresetText:
    """A preset as YAML; of one's own the very file."""
    _found(parts, f"{task}/{kind}")
    return PresetText(text=_own(parts).text(f"{task}/{kind}"))


@router.put("/presets/{task}/{kind}", responses=replies(404))
async def write_preset(task: TaskId, kind: Kind, request: PresetText, parts: Parts) -> Preset:
    """Keep the text as a preset of one's own, after checking it."""
    return _told(await asyncio.to_thread(_own(parts).write, f"{task}/{kind}", request.text))


@router.post("/presets/{task}/{kind}/copy", status_code=201, responses=replies(404))
async def copy_preset(task: TaskId, kind: Kind, request: PresetCopy, parts: Parts) -> Preset:
    """Make a preset of one's own from another."""
    _found(parts, f"{task}/{kind}")
    return _told(await asyncio.to_thread(_own(parts).copy, f"{task}/{kind}", request.name))


@router.delete("/presets/{task}/{kind}", status_code=204, responses=replies(404))
async def remove_preset(task: TaskId, kind: Kind, parts: Parts) -> None:
    """Delete a preset of one's own."""
    _found(parts, f"{task}/{kind}")
    await asyncio.to_thread(_own(parts).remove, f"{task}/{kind}")


def _own(parts: Parts) -> OwnPresets:
    return OwnPresets(parts.home.presets)


def _found(parts: Parts, name: str) -> luthier.presets.Preset:
    try:
        return _own(parts).library.find(name)
    except LuthierError as error:
        raise ApiError(404, error.message, hint=error.hint) from error


def _told(preset: luthier.presets.Preset) -> Preset:
    return Preset.model_validate(preset, from_attributes=True)
