"""The guide: six questions, one at a time, and the path that follows from the answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from luthier.agent.models import HostReport
from luthier.trainers import demo
from luthier.trainers.registry import Task, find_task
from luthier.trainers.spec.yaml_loader import load_yaml

from .aims import AIMS, choose
from .goals import Goal, find_goal, goals

Step = Literal["name", "goal", "experience", "data", "hardware", "performance"]
STEPS: tuple[Step, ...] = ("name", "goal", "experience", "data", "hardware", "performance")
SAMPLE = "sample"
_GIB = 1 << 30
_CPU = "cpu"


@dataclass(frozen=True)
class Answer:
    """One answer to choose; ``id`` is what the path depends on."""

    id: str
    text: str


@dataclass(frozen=True)
class Question:
    """What is asked. Without answers to choose, something is typed.

    Attributes:
        typed: whether something else than the answers may be typed.
    """

    step: Step
    text: str
    answers: tuple[Answer, ...] = ()
    typed: bool = False


@dataclass
class Answers:
    """What the person has said so far, by step."""

    given: dict[Step, str] = field(default_factory=dict)

    @property
    def next(self) -> Step | None:
        """What is asked next; None when all is said."""
        return next((step for step in self.steps if step not in self.given), None)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The questions on this way: who only wants to see it work is not asked for data."""
        if self.given.get("goal") == "try":
            return ("name", "goal")
        return STEPS

    def give(self, step: Step, answer: str) -> None:
        """Answer a question."""
        self.given[step] = answer

    def take_back(self) -> None:
        """Forget the last answer."""
        if self.given:
            del self.given[[step for step in STEPS if step in self.given][-1]]


@dataclass(frozen=True)
class Plan:
    """The path: what the form is filled with, why, and what to read.

    Attributes:
        values: for the form of a new run; beside the sections stand ``task``, and perhaps
            ``preset`` and ``expert``.
        text: Markdown.
        topics: ids of the pages that explain it.
    """

    values: dict[str, Any]
    text: str
    topics: tuple[str, ...]


def question(
    step: Step, answers: Answers, data: Sequence[Answer] = (), report: HostReport | None = None
) -> Question:
    """What to ask.

    Args:
        data: what was found on this machine.
        report: this machine's hardware, when it is known.
    """
    name = answers.given.get("name", "")
    match step:
        case "name":
            return Question(step, "What may I call you?", typed=True)
        case "goal":
            known = [Answer(goal.id, goal.text) for goal in goals()]
            asked = f"What do you want to do{', ' if name else ''}{name}?"
            return Question(step, asked, (*known, _TRY_IT))
        case "experience":
            return Question(step, "How much of this have you done before?", _EXPERIENCE)
        case "data":
            text = "Which data do you have? Choose, or type a path or the id of a hub dataset."
            none = Answer(SAMPLE, "none yet: take the tiny sample")
            return Question(step, text, (*data, none), typed=True)
        case "hardware":
            here = (Answer("here", _here(report)),) if report else ()
            return Question(step, "What will it run on?", (*here, *_HARDWARE))
        case "performance":
            aims = tuple(Answer(aim.id, aim.text) for aim in AIMS)
            return Question(step, "What matters most to you?", aims)


_TRY_IT = Answer("try", "only see how it works, in a minute")
_EXPERIENCE = (
    Answer("none", "nothing: explain as we go"),
    Answer("some", "some: I know what an epoch is"),
    Answer("much", "much: show me all settings"),
)
_HARDWARE = (
    Answer(_CPU, "a machine without a GPU"),
    Answer("8", "a GPU with 8 GB or so"),
    Answer("16", "a GPU with 16 GB or so"),
    Answer("24", "a GPU with 24 GB or more"),
)
# (least memory in GiB, instruct model, base model): all under the Apache licence.
_MODELS = (
    (22, "Qwen/Qwen2.5-7B-Instruct", "Qwen/Qwen2.5-7B"),
    (11, "HuggingFaceTB/SmolLM3-3B", "HuggingFaceTB/SmolLM3-3B-Base"),
    (5, "HuggingFaceTB/SmolLM2-1.7B-Instruct", "HuggingFaceTB/SmolLM2-1.7B"),
    (0, "HuggingFaceTB/SmolLM2-135M-Instruct", "HuggingFaceTB/SmolLM2-135M"),
)


def plan(
    answers: Answers, report: HostReport | None = None, *, here: Sequence[str] = (), offline: bool
) -> Plan:
    """The path for the answers; all have to be given.

    Args:
        report: this machine's hardware, when it is known.
        here: models that are on this machine already.
        offline: whether only those can be used.
    """
    given = answers.given
    name = given.get("name") or "you"
    if given["goal"] == "try":
        filled = load_yaml(demo.demo_spec_text())
        return Plan(filled, _TRY.format(name=name), ("training-pipeline", "first-run"))
    goal = find_goal(given["goal"])
    task = find_task(goal.task)
    memory = _memory(given["hardware"], report)
    aim = given["performance"]
    # Who wants little memory has a model that leaves half of it free.
    room = memory / 2 if memory is not None and aim == "memory" else memory
    model, model_reason = _model(goal, task, room, here, offline=offline)
    chosen = choose(aim, task, memory, beginner=given["experience"] == "none")
    preset = chosen.preset
    path = str(task.sample) if given["data"] == SAMPLE else given["data"]
    values: dict[str, Any] = {
        "task": task.id,
        "preset": preset.name,
        "data": {"path": path},
        "expert": given["experience"] == "much",
        **chosen.values,
    }
    if model:
        values["model"] = {"name_or_path": model}
    if memory is None:
        values["launch"] = {"devices": _CPU}
    elif memory < 11 and task.chats:
        values["training"] = {**values.get("training", {}), "gradient_checkpointing": True}
    text = _PATH.format(
        name=name,
        title=task.title,
        sentence=task.sentence,
        model=f"`{model}`. {model_reason}" if model else model_reason,
        data="the tiny sample that Luthier carries" if given["data"] == SAMPLE else f"`{path}`",
        aim=next(each.text for each in AIMS if each.id == aim),
        reason=chosen.reason,
        changed="".join(f"\n- `{key}: {value}`" for key, value in _settings(chosen.values)),
        preset=f"`{preset.name}`. {preset.purpose}",
        trades=preset.trades,
        watch=_WATCH_WRITING if task.chats else _WATCH_MEASURING,
        device=_device(given["hardware"], memory),
    )
    reading = dict.fromkeys((goal.page, *_READING[given["experience"]]))
    if not task.chats:
        reading.pop("lora", None)
    return Plan(values, text, tuple(reading))


_TRY = """\
Here is the shortest way, **{name}**: the demo. It trains a tiny model that Luthier carries, on
dates written in words, until it answers with dates like `2026-11-21`. No connection and no GPU is
needed.

The form opens with everything filled in. Launch it, watch the loss fall, then chat with the result
beside the base model, which cannot do it.
"""

_PATH = """\
Here is your path, **{name}**.

**What**: {title}. {sentence}

**Model**: {model}

**Data**: {data}. Open it in the form (enter on *path*) and read two rows as the model will see them
before anything else.

**What matters**: {aim}. {reason}

**Settings**: the preset {preset} {trades}{changed}

**Where**: {device}

The form opens filled in. Read it through, launch, and watch: {watch}
"""
_WATCH_WRITING = """\
the loss should fall within the first steps, and the samples at each evaluation show what has been
learnt. Then chat with the result, beside the base model."""
_WATCH_MEASURING = """\
the figures of each evaluation, and its reports, say what has been learnt. Then try the result on
rows of your own."""

_READING = {
    "none": ("first-run", "dataset-preparation", "training-loop", "learning-rate", "lora"),
    "some": ("dataset-preparation", "learning-rate", "lora", "overfitting", "common-problems"),
    "much": ("training-arguments", "training-faster", "ablation", "results-analysis"),
}


def _settings(values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(key, value) for section in values.values() for key, value in section.items()]


def _here(report: HostReport) -> str:
    accelerators = [device for device in report.devices if device.kind != "cpu"]
    if not accelerators:
        total = report.memory_total / _GIB
        return f"this machine: {report.cpu_cores} CPU cores, {total:.0f} GiB of memory, no GPU"
    best = max(accelerators, key=lambda device: device.memory_total or 0)
    more = f", and {len(accelerators) - 1} more" if len(accelerators) > 1 else ""
    size = f", {best.memory_total / _GIB:.0f} GiB" if best.memory_total else ""
    return f"this machine: {best.name}{size}{more}"


def _memory(answer: str, report: HostReport | None) -> float | None:
    """Device memory in GiB; None for a CPU."""
    if answer == "here" and report is not None:
        sizes = [device.memory_total or 0 for device in report.devices if device.kind != "cpu"]
        return max(sizes) / _GIB if sizes else None
    return float(answer) if answer.isdigit() else None


def _model(
    goal: Goal, task: Task, memory: float | None, here: Sequence[str], *, offline: bool
) -> tuple[str, str]:
    if not task.default_model:
        return "", "none to start from; several kinds are tried, and the best one is kept."
    if not task.chats:
        absent = offline and task.default_model not in here
        reason = "You work offline, and it is not on this machine: choose one that is."
        return task.default_model, reason if absent else "Small, and a good start for this."
    instruct = goal.id != "field"
    fitting = next(entry for entry in _MODELS if (memory or 0) >= entry[0])
    wanted = fitting[1] if instruct else fitting[2]
    if offline and wanted not in here:
        if here:
            return here[0], "It is on this machine already, and you work offline."
        return str(demo.MODEL), "You work offline: this tiny one comes with Luthier."
    kind = "it follows requests already" if instruct else "it is trained on plain text"
    if memory is None:
        return wanted, f"Small enough for a CPU, and {kind}."
    return wanted, f"It fits your GPU with room for the rows, and {kind}."


def _device(answer: str, memory: float | None) -> str:
    if answer == "here":
        return "on the CPU of this machine." if memory is None else "on the GPU of this machine."
    return "on the machine that you named; open Luthier there to start it."
