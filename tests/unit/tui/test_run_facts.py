"""What the run and compare screens say: metrics, rows of text, differences, curves, histories."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from luthier.agent.models import (
    Attempt,
    Device,
    HardwareSample,
    Message,
    Progress,
    Run,
    Series,
    SeriesInfo,
    StoredEvent,
)
from luthier.agent.states import RunState
from luthier.tui.comparison import Results, differences
from luthier.tui.glyphs import ASCII, UNICODE, Glyphs
from luthier.tui.hints import Change, Remedy
from luthier.tui.metrics import Panel, best, better, chosen_panels, panels, single_panels
from luthier.tui.plot.across import STEPS
from luthier.tui.plot.axis import Limits
from luthier.tui.plot.drawing import Row
from luthier.tui.run_curves import Range, RunCurves, expected
from luthier.tui.run_view import (
    hardware_rows,
    head_rows,
    hint_lines,
    note_lines,
    sample_lines,
    text_lines,
)
from luthier.tui.settings import InterfaceSettings
from luthier.tui.state import ClientState, Note, Sample


def run(**values: Any) -> Run:
    known: dict[str, Any] = {
        "id": "20260101-000000-abcd",
        "name": "mine",
        "task": "llm-sft",
        "model": "some/SmolLM2-135M",
        "host": "local",
        "state": RunState.RUNNING,
        "created_at": 0.0,
        "started_at": 0.0,
        "folder": "/r",
    }
    return Run(**{**known, **values})


def plain(rows: list[Row]) -> list[str]:
    return ["".join(text for text, _ in row) for row in rows]


# -- metrics -------------------------------------------------------------------------------------


def test_training_and_evaluation_share_a_chart() -> None:
    found = panels(
        ["eval_runtime", "grad_norm", "eval_loss", "loss", "learning_rate", "num_tokens"]
    )
    assert [panel.name for panel in found] == [
        "loss", "learning_rate", "grad_norm", "runtime", "num_tokens",
    ]  # fmt: skip
    assert found[0].metrics == ("loss", "eval_loss")
    shown = [panel.name for panel in chosen_panels(found, None, 5)]
    assert shown == ["loss", "learning_rate", "grad_norm"]
    assert [panel.name for panel in chosen_panels(found, ["num_tokens", "gone"], 5)] == [
        "num_tokens"
    ]
    assert single_panels(["eval_loss", "loss"]) == [
        Panel("loss", ("loss",)), Panel("eval_loss", ("eval_loss",)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("eval_loss", "low"),
        ("eval_perplexity", "low"),
        ("eval_mean_token_accuracy", "high"),
        ("eval_f1", "high"),
        ("rewards/margins", "high"),
        ("eval_rmse", "low"),
        ("learning_rate", ""),
        ("grad_norm", ""),
    ],
)
def test_the_better_direction_of_a_metric_is_known(name: str, direction: str) -> None:
    assert better(name) == direction


def test_the_best_runs_are_those_with_the_best_value() -> None:
    assert best("eval_loss", {"a": 1.0, "b": 0.5, "c": None, "d": 0.5}) == {"b", "d"}
    assert best("accuracy", {"a": 1.0, "b": 0.5}) == {"a"}
    assert best("accuracy", {"a": 1.0, "b": 1.0}) == set()
    assert best("grad_norm", {"a": 1.0, "b": 0.5}) == set()


# -- head, devices, hint -------------------------------------------------------------------------


@pytest.mark.parametrize("width", [80, 120, 200])
def test_the_head_says_how_far_a_run_is(width: int) -> None:
    progress = Progress(
        step=2008, total=20_000, epoch=0.2, seconds_left=1799.0, tokens_per_second=1027.4
    )
    rows = head_rows(run(progress=progress, phase="training"), UNICODE, width, 600.0)
    first, second = plain(rows)
    for words in ("● running", "training", "10%", "2,008/20,000", "29 min 59 s left"):
        assert words in first
    assert "━" in first
    assert "1,027 tokens/s" in first + second
    assert "SmolLM2-135M" in second
    assert all(cell_len(line) <= width for line in (first, second))


def test_a_finished_run_says_how_long_it_took() -> None:
    ended = run(state=RunState.SUCCEEDED, ended_at=300.0, progress=Progress(step=9, total=9))
    first, second = plain(head_rows(ended, ASCII, 80, 10_000.0))
    assert "+ succeeded" in first
    assert "left" not in first
    assert "took 5 min 00 s" in second
    assert (first + second).isascii()


def test_a_long_model_name_gives_way_to_what_else_is_known() -> None:
    model = "lightgbm, xgboost, random_forest, logistic_regression"
    ended = run(state=RunState.SUCCEEDED, ended_at=300.0, model=model)
    _, second = plain(head_rows(ended, UNICODE, 80, 10_000.0))
    assert second.startswith("lightgbm, ")
    assert "took 5 min 00 s" in second
    assert cell_len(second) <= 80


def device(**values: Any) -> Device:
    return Device(**{"id": "cuda:0", "kind": "cuda", "name": "H200", **values})


def devices_of(glyphs: Glyphs, most: int, count: int) -> list[str]:
    names = [f"cuda:{number}" for number in range(count)]
    found = [
        device(
            id=name, utilisation=87.0, memory_total=139 * 2**30, memory_used=61 * 2**30,
            temperature=64.0, power=410.0, power_limit=700.0,
        )
        for name in names
    ]  # fmt: skip
    sample = HardwareSample(
        t=1.0, cpu_percent=1.0, memory_used=1, devices=[device(id="cpu"), *found]
    )
    held = run(attempts=[Attempt(number=1, started_at=0.0, devices=names)])
    return plain(hardware_rows(held, [sample], glyphs, InterfaceSettings(), 80, most))


def test_the_devices_of_a_run_are_shown_with_all_their_figures() -> None:
    (line,) = devices_of(UNICODE, 4, 1)
    for words in ("cuda:0", "87%", "61.0 GiB of 139 GiB", "64°C", "410/700 W"):
        assert words in line
    assert cell_len(line) <= 80
    assert devices_of(ASCII, 4, 1)[0].isascii()


def test_more_devices_than_rows_are_summed_up() -> None:
    lines = devices_of(UNICODE, 4, 8)
    assert len(lines) == 4
    assert "and 5 more, 87% busy" in lines[-1]


def test_figures_that_the_hardware_does_not_tell_are_left_out() -> None:
    sample = HardwareSample(t=1.0, cpu_percent=1.0, memory_used=1, devices=[device(id="cpu")])
    (line,) = plain(hardware_rows(run(), [sample], UNICODE, InterfaceSettings(), 80, 1))
    assert line.strip() == "cpu"


def test_a_failed_run_says_why_and_what_the_key_does() -> None:
    failed = run(state=RunState.FAILED, reason="Memory\nran out.", hint="Lower it.", resumable=True)
    remedy = Remedy("The batch is large.", (Change("training.x", None, True),))
    lines = plain([[*head, *row] for head, row in hint_lines(failed, remedy, UNICODE, "a", "r")])
    assert lines == [
        "error  Memory",
        "       ran out.",
        "cause  The batch is large.",
        "hint   Lower it.",
        "a      sets up a new run with training.x unset → true",
        "r      goes on from its last checkpoint",
    ]
    assert hint_lines(run(), None, UNICODE, "a", "r") == []


# -- events, samples, files ----------------------------------------------------------------------


def test_events_stand_in_columns_and_hostile_ones_are_harmless() -> None:
    notes = [
        Note(0.0, "evaluation", "evaluation at step 5: eval_loss 1"),
        Note(0.0, "error", "bad\x1b[2J\nsecond line"),
    ]
    lines = plain([[*head, *row] for head, row in note_lines(notes)])
    assert lines[0].endswith(" evaluation at step 5: eval_loss 1")
    assert "evaluation evaluation" not in lines[0]
    assert "\x1b" not in lines[1]
    assert lines[2].strip() == "second line"


def test_samples_show_the_newest_answer_first_and_repeat_nothing() -> None:
    texts = [(10, "b"), (20, "bon"), (30, "bon"), (40, "bonjour")]
    samples = [Sample(step, "hello", text, "bonjour") for step, text in texts]
    samples.append(Sample(40, "other", "x", None))
    lines = plain([[*head, *row] for head, row in sample_lines(samples, "hello")])
    assert [line.split() for line in lines if line.strip()] == [
        ["prompt", "hello"],
        ["expected", "bonjour"],
        ["40", "bonjour"],
        ["30", "(the", "same)"],
        ["20", "bon"],
        ["10", "b"],
    ]


def test_only_texts_are_opened_as_text() -> None:
    assert text_lines(b"\x7fELF\0\0", "x") is None
    lines = text_lines(b"a:\n  b: 1\n- c\n", "x.yaml") or []
    assert plain([[*head, *row] for head, row in lines]) == ["a:", "  b: 1", "- c"]


# -- comparing -----------------------------------------------------------------------------------


def test_only_differences_are_listed() -> None:
    specs = {
        "a": {"name": "one", "training": {"lr": 1e-3, "steps": 5}, "peft": {"modules": ["q", "v"]}},
        "b": {
            "name": "two",
            "training": {"lr": 1e-4, "steps": 5},
            "peft": {"modules": []},
            "x": True,
        },
    }
    assert differences(specs) == {
        "training.lr": {"a": "0.001", "b": "0.0001"},
        "peft.modules": {"a": "q, v", "b": "none"},
        "x": {"a": "-", "b": "true"},
    }


SPECS = st.recursive(
    st.none() | st.booleans() | st.integers(),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
).filter(lambda value: isinstance(value, dict))


@given(SPECS)
def test_a_spec_does_not_differ_from_itself(spec: dict[str, Any]) -> None:
    assert differences({"one": spec, "two": spec, "three": spec}) == {}


def test_results_mark_the_best_and_the_best_ever() -> None:
    runs = [
        run(id="a", last_metrics={"eval_loss": 1.0, "grad_norm": 1.0}, state=RunState.SUCCEEDED),
        run(id="b", last_metrics={"eval_loss": 2.0}),
    ]
    infos = {
        name: [SeriesInfo(name="eval_loss", points=2, first_step=1, last_step=2, last=last,
                          minimum=low, maximum=9.0)]
        for name, last, low in (("a", 1.0, 0.9), ("b", 2.0, 0.5))
    }  # fmt: skip
    results = Results(runs, infos)
    assert results.cells["eval_loss"] == {"a": "1", "b": "2"}
    assert results.best["eval_loss"] == {"a"}
    assert results.cells["lowest eval_loss"] == {"a": "0.9", "b": "0.5"}
    assert results.best["lowest eval_loss"] == {"b"}
    assert results.cells["grad_norm"] == {"a": "1"}
    assert results.best["grad_norm"] == set()


# -- curves and histories ------------------------------------------------------------------------


def series(name: str, bucket: int, values: dict[int, float]) -> Series:
    listed = list(values.values())
    return Series(
        name=name, bucket=bucket, steps=list(values), values=listed, minimum=listed, maximum=listed
    )


def test_zooming_asks_for_points_only_where_they_are_too_coarse() -> None:
    state, curves = ClientState(), RunCurves()
    state.take_series("r", series("loss", 256, dict.fromkeys(range(0, 1_000_000, 256), 1.0)))
    state.take_series("r", series("eval_loss", 1, {1000: 1.0}))
    data = state.of("r")
    names = ["loss", "eval_loss", "unknown"]
    assert curves.wanted(data, names, STEPS, Limits(0, 1_000_000), 200) == []
    (wanted,) = curves.wanted(data, names, STEPS, Limits(500_000, 510_000), 200)
    assert wanted.name == "loss"
    assert wanted.first <= 500_000
    assert wanted.last >= 510_000
    fine = dict.fromkeys(range(wanted.first, wanted.last, 8), 2.0)
    curves.take_finer(wanted, series("loss", 8, fine))
    assert curves.wanted(data, names, STEPS, Limits(501_000, 511_000), 200) == []
    (again,) = curves.wanted(data, names, STEPS, Limits(600_000, 610_000), 200)
    assert again.first <= 600_000
    (curve,) = curves.curves(data, Panel("loss", ("loss",)), STEPS, {})
    inside = [b for place, b in curve.within(501_000, 502_000, 9999) if 501_000 < place < 502_000]
    assert {bucket.last for bucket in inside} == {2.0}
    assert len(inside) == 124


def test_points_that_came_meanwhile_are_not_lost() -> None:
    state = ClientState()
    state.of("r")
    state.take_events(
        "r", [{"kind": "metrics", "t": 1.0, "step": 5000, "epoch": 1.0, "values": {"loss": 7.0}}]
    )
    state.take_series("r", series("loss", 256, dict.fromkeys(range(0, 4864, 256), 1.0)))
    newest = state.of("r").curves["loss"].last
    assert newest is not None
    assert (newest.last, newest.last_step) == (7.0, 5000)


def test_the_end_is_known_from_the_progress() -> None:
    going = run(progress=Progress(step=250, total=1000, epoch=0.5))
    assert expected(going, "step") == 1000
    assert expected(going, "epoch") == pytest.approx(2.0)
    assert expected(going, "time") is None
    ended = going.model_copy(update={"state": RunState.STOPPED})
    assert expected(ended, "step") == 250
    assert expected(ended, "epoch") == pytest.approx(0.5)
    assert expected(run(), "step") is None


def test_a_range_is_named_by_its_steps() -> None:
    assert Range("loss", 1, 2) == Range("loss", 1, 2)


def event(number: int, kind: str, **values: Any) -> StoredEvent:
    return StoredEvent(number=number, attempt=1, event={"t": float(number), "kind": kind, **values})


def message(sequence: int, number: int, events: list[dict[str, Any]]) -> Message:
    data = {"attempt": 1, "number": number, "events": events}
    return Message(sequence=sequence, t=0.0, type="events", run_id="r", data=data)


STORED = [
    event(1, "phase", name="loading"),
    event(2, "phase", name="training"),
    event(5, "sample", step=1, prompt="p", text="x"),
    event(6, "warning", message="careful"),
    event(9, "checkpoint", step=3, path="c"),
]


@given(st.integers(1, 10), st.booleans(), st.integers(1, 10))
def test_histories_and_live_events_are_each_shown_once(
    live_from: int, history_first: bool, known_to: int
) -> None:
    state = ClientState()
    state.of("r")
    live = [
        message(100 + entry.number, entry.number, [entry.event])
        for entry in STORED
        if entry.number >= live_from
    ]
    history = [entry for entry in STORED if entry.number <= max(known_to, live_from - 1)]
    steps = [lambda: state.take_history("r", history), lambda: [state.apply(m) for m in live]]
    for step in steps if history_first else steps[::-1]:
        step()
    state.take_history("r", history)
    texts = [note.text for note in state.of("r").notes]
    assert texts == ["loading", "training", "careful", "checkpoint at step 3"]
    assert len(state.of("r").samples) == 1
