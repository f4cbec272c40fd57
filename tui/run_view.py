"""What the run screen says of a run, as rows of styled text."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from luthier.agent.models import Device, FileInfo, HardwareSample, Run, RunDetail
from luthier.agent.states import RunState
from luthier.agent.text import count, duration, percent, printable
from luthier.trainers.spec.yaml_loader import dump_yaml

from .glyphs import Glyphs
from .hints import Remedy
from .plot.drawing import Row
from .settings import InterfaceSettings
from .state import Note, Sample

Line = tuple[Row, Row]
"""A head, by which the rest is indented, and the rest."""

_STATE_STYLES = {
    RunState.RUNNING: "good",
    RunState.SUCCEEDED: "good",
    RunState.FAILED: "error",
    RunState.LOST: "error",
    RunState.STOPPING: "warning",
    RunState.STOPPED: "warning",
}
_NOTE_STYLES = {"error": "error", "warning": "warning", "evaluation": "value", "done": "good"}
_BAR_LEAST, _BAR_MOST = 10, 40
_MODEL_LEAST = 12
_MEMORY_BAR = 12
_GRAPH = 16
_FULL = 90.0
_HOT = 85.0


def head_rows(run: Run, glyphs: Glyphs, width: int, now: float) -> list[Row]:
    """State, phase, progress, time left and speed; then what runs where."""
    style = _STATE_STYLES.get(run.state, "label")
    words = f"{glyphs.state(run.state)} {run.state.value}"
    if run.phase and not run.state.finished:
        words += f"  {_clean(run.phase)}"
    model = _clean(run.model.rstrip("/").rsplit("/", 1)[-1])
    figures, facts = _figures(run), [model, *_facts(run, now)]
    if run.progress.total and _bar_room(width, words, figures) < _BAR_LEAST and len(figures) > 1:
        # The speed gives way to the bar.
        facts.insert(0, figures.pop())
    room = min(_BAR_MOST, _bar_room(width, words, figures))
    row: Row = [(words, style), ("  ", "")]
    if run.progress.total and room >= _BAR_LEAST:
        row += [*_bar(glyphs, run.progress.step / run.progress.total, room, style), ("  ", "")]
    dot = f" {glyphs.dot} "
    over = len(dot.join(facts)) - width
    if over > 0:
        # The model gives way: its whole name stands in the spec.
        place = facts.index(model)
        facts[place] = glyphs.cut(model, max(_MODEL_LEAST, len(model) - over))
    below = glyphs.cut(dot.join(facts), width)
    return [[*row, ("  ".join(figures), "value")], [(below, "label")]]


def _bar_room(width: int, words: str, figures: Sequence[str]) -> int:
    return width - len(words) - len("  ".join(figures)) - 4


def _bar(glyphs: Glyphs, share: float, width: int, style: str) -> Row:
    share = min(1.0, max(0.0, share))
    bar, full = glyphs.bar(share, 1.0, width), int(share * width)
    return [(bar[:full], style), (bar[full:], "rest")]


def _figures(run: Run) -> list[str]:
    progress = run.progress
    figures = []
    if progress.total:
        share = percent(progress.step, progress.total)
        figures.append(f"{share:>4}  {progress.step:,}/{progress.total:,}")
    elif progress.step:
        figures.append(f"step {progress.step:,}")
    if run.state.active and progress.seconds_left is not None:
        figures.append(f"{duration(progress.seconds_left)} left")
    if progress.tokens_per_second and not run.state.finished:
        figures.append(f"{progress.tokens_per_second:,.0f} tokens/s")
    return figures


def _facts(run: Run, now: float) -> list[str]:
    attempt = run.attempts[-1] if run.attempts else None
    facts = [run.task]
    if attempt and attempt.devices:
        facts.append(f"{run.host}: {', '.join(attempt.devices)}")
    if len(run.attempts) > 1:
        facts.append(f"attempt {len(run.attempts)}")
    if run.progress.epoch:
        facts.append(f"epoch {run.progress.epoch:.2f}")
    if run.warnings:
        facts.append(count(run.warnings, "warning"))
    if run.state is RunState.QUEUED and run.queue_position is not None:
        facts.append(f"place {run.queue_position + 1} in the queue")
    if run.started_at is not None:
        if run.state.finished and run.ended_at is not None:
            facts.append(f"took {duration(run.ended_at - run.started_at)}")
        # Seconds would change the line all the time for nothing.
        elif run.state.active and (minutes := int(now - run.started_at) // 60 * 60):
            facts.append(f"for {duration(minutes).removesuffix(' 00 s')}")
    if not run.state.finished and run.reason:
        facts.append(_clean(run.reason))
    return facts


def hardware_rows(
    run: Run,
    samples: Sequence[HardwareSample],
    glyphs: Glyphs,
    interface: InterfaceSettings,
    width: int,
    most: int,
) -> list[Row]:
    """A row for each device of the run, at most ``most``; then one for those that are left."""
    if not samples:
        return []
    held = run.attempts[-1].devices if run.attempts else []
    latest = {device.id: device for device in samples[-1].devices}
    names = [name for name in held if name in latest] or [name for name in latest if name == "cpu"]
    shown = names if len(names) <= most else names[: max(1, most - 1)]
    rows = []
    for name in shown:
        course = [_of(sample, name) for sample in samples[-_GRAPH:]]
        rows.append(_device_row(latest[name], course, glyphs, interface, width))
    if left := [latest[name] for name in names[len(shown) :]]:
        known = [device.utilisation for device in left if device.utilisation is not None]
        mean = f", {sum(known) / len(known):.0f}% busy" if known else ""
        rows.append([(f"and {len(left)} more{mean}", "label")])
    return rows


def _of(sample: HardwareSample, name: str) -> Device | None:
    return next((device for device in sample.devices if device.id == name), None)


def _device_row(
    device: Device,
    course: Sequence[Device | None],
    glyphs: Glyphs,
    interface: InterfaceSettings,
    width: int,
) -> Row:
    row: Row = [(f"{device.id:<7}", "name")]
    if device.utilisation is not None:
        busy = [each.utilisation if each else None for each in course]
        # Both ends of the scale, so that the height of a bar means the same all the time.
        graph = glyphs.sparkline([0.0, 100.0, *busy], _GRAPH + 2)[2:]
        row += [(f" {device.utilisation:3.0f}% ", "value"), (f"{graph:<{_GRAPH}}", "line-1")]
    if device.memory_total and device.memory_used is not None:
        share = device.memory_used / device.memory_total
        style = "warning" if share * 100 > _FULL else "value"
        total = interface.size(device.memory_total)
        used = interface.size(device.memory_used)
        row += [("  memory ", "label"), (f"{used:>9}", style), (f" of {total}", "label")]
        if width >= 100:
            row += [("  ", ""), *_bar(glyphs, share, _MEMORY_BAR, style)]
    if device.temperature is not None:
        style = "warning" if device.temperature >= _HOT else "label"
        row.append((f"  {device.temperature:.0f}°C" if glyphs.unicode
                    else f"  {device.temperature:.0f} C", style))  # fmt: skip
    if device.power is not None:
        limit = f"/{device.power_limit:.0f}" if device.power_limit else ""
        row.append((f"  {device.power:.0f}{limit} W", "label"))
    if width >= 120:
        row.append((f"  {device.name}", "label"))
    return row


def hint_lines(
    run: Run, remedy: Remedy | None, glyphs: Glyphs, apply_key: str, resume_key: str
) -> list[Line]:
    """Why a run ended badly and what can be done; nothing for a run that did not."""
    if run.state not in (RunState.FAILED, RunState.LOST):
        return []
    head: Row = [("error  ", "error")]
    lines: list[Line] = [
        (head if not index else [("       ", "")], [(_clean(line), "")])
        for index, line in enumerate((run.reason or run.state.value).splitlines())
    ]
    if remedy:
        lines.append(([("cause  ", "name")], [(remedy.cause, "")]))
    if run.hint:
        lines.append(([("hint   ", "name")], [(_clean(run.hint), "")]))
    if remedy:
        changes = ", ".join(
            f"{change.key} {_value(change.old)} {glyphs.right} {_value(change.new)}"
            for change in remedy.changes
        )
        lines.append(
            ([(f"{apply_key:<7}", "key")], [(f"sets up a new run with {changes}", "good")])
        )
    else:
        lines.append(
            ([(f"{apply_key:<7}", "key")], [("sets up a new run with the same settings", "")])
        )
    if run.resumable:
        lines.append(([(f"{resume_key:<7}", "key")], [("goes on from its last checkpoint", "")]))
    return lines


def note_lines(notes: Iterable[Note]) -> list[Line]:
    """What happened, oldest first, with the time of day."""
    lines: list[Line] = []
    for note in notes:
        style = _NOTE_STYLES.get(note.kind, "")
        clock = time.strftime("%H:%M:%S", time.localtime(note.t))
        head: Row = [(f"{clock} ", "label"), (f"{note.kind:<10} ", style or "label")]
        # The kind stands in its own column.
        texts = note.text.removeprefix(note.kind).lstrip().splitlines() or [""]
        lines += [
            (head if not index else [(" " * 20, "")], [(_clean(text), style)])
            for index, text in enumerate(texts)
        ]
    return lines


def prompts_of(samples: Iterable[Sample]) -> list[str]:
    """The prompts that were answered, in the order in which they first were."""
    return list(dict.fromkeys(sample.prompt for sample in samples))


def sample_lines(samples: Sequence[Sample], prompt: str) -> list[Line]:
    """One prompt's answers over time, the newest first, below what was expected."""
    answers = [sample for sample in samples if sample.prompt == prompt]
    lines = _text_lines("prompt", prompt, "name")
    expected = next((each.expected for each in reversed(answers) if each.expected), None)
    if expected is not None:
        lines += _text_lines("expected", expected, "good")
    lines.append(([], []))
    before: str | None = None
    told: list[list[Line]] = []
    for sample in answers:
        style = "good" if expected is not None and sample.text.strip() == expected.strip() else ""
        text = sample.text if sample.text != before else "(the same)"
        told.append(
            _text_lines(f"{sample.step:,}", text, style if text is sample.text else "label")
            + _earned(sample)
        )
        before = sample.text
    return lines + [line for each in reversed(told) for line in each]


def _earned(sample: Sample) -> list[Line]:
    """What a text earned, below it."""
    known = [f"{name} {value:.4g}" for name, value in sample.rewards.items() if value is not None]
    return _text_lines("", "  ".join(known), "label") if known else []


def _text_lines(head: str, text: str, style: str) -> list[Line]:
    parts = text.splitlines() or [""]
    return [
        ([(f"{head if not index else '':>9}  ", "label")], [(_clean(part), style)])
        for index, part in enumerate(parts)
    ]


def spec_lines(run: RunDetail) -> list[Line]:
    """What the run really runs on, and the spec as YAML."""
    lines: list[Line] = []
    if placed := run.placement:
        trained, total = placed["trainable_parameters"], placed["total_parameters"]
        lines.append(
            (
                [("runs on  ", "label")],
                [
                    (
                        f"{', '.join(placed['devices'])}, {placed['strategy']}, precision "
                        f"{placed['precision']}, {trained:,} of {total:,} parameters trained",
                        "good",
                    )
                ],
            )
        )
        lines.append(([], []))
    return lines + [yaml_line(line) for line in dump_yaml(run.spec).splitlines()]


def yaml_line(line: str) -> Line:
    """A line of YAML with its key told from its value; a long one is indented below itself."""
    shown = _clean(line)
    bare = shown.lstrip()
    head: Row = [(shown[: len(shown) - len(bare)], "")]
    key, colon, value = bare.partition(":")
    if not colon or bare.startswith(("-", "#")):
        return head, [(bare, "value")]
    return head, [(key + colon, "key"), (value, "value")]


def readable(info: FileInfo, most: int) -> bool:
    """Whether a file is worth opening as text."""
    return info.size <= most and not info.path.endswith((".safetensors", ".bin", ".pt", ".pth"))


def text_lines(data: bytes, path: str) -> list[Line] | None:
    """A file's lines; None when it is no text."""
    if b"\0" in data[:8192]:
        return None
    text = data.decode("utf-8", "replace")
    is_yaml = path.endswith((".yaml", ".yml"))
    return [
        yaml_line(line) if is_yaml else ([], [(_clean(line), "")]) for line in text.splitlines()
    ]


def _clean(text: str) -> str:
    return printable(text.expandtabs(4))


def _value(value: Any) -> str:
    if value is None:
        return "unset"
    return str(value).lower() if isinstance(value, bool) else str(value)
