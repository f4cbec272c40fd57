"""The parts of the run manager that need no process: submission, diagnosis, folding, records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.agent.launching import ExitReport
from luthier.agent.models import Attempt, SubmitRequest
from luthier.agent.runs.diagnosis import diagnose
from luthier.agent.runs.folding import fold
from luthier.agent.runs.record import RunRecord, load_record, save_record
from luthier.agent.runs.submission import changed, resolve
from luthier.agent.states import RunState
from luthier.trainers.errors import LuthierError, SpecError
from luthier.trainers.events import (
    DoneEvent,
    ErrorEvent,
    EvaluationEvent,
    Event,
    EventWriter,
    MetricsEvent,
    PhaseEvent,
    ProgressEvent,
    WarningEvent,
)
from luthier.trainers.run_folder import AttemptFolder, RunFolder
from luthier.trainers.spec.file import dump_spec

_RECORD = RunRecord(
    id="20260101-000000-abcd",
    name="violin",
    task="llm-sft",
    model="org/name",
    host="local",
    state=RunState.RUNNING,
    created_at=1.0,
    queue_key=1.0,
)


def _request(folder: Path, text: str, **more: Any) -> SubmitRequest:
    text = f"task: llm-sft\n{text}"
    return SubmitRequest(spec=text, source="run.yaml", working_directory=str(folder), **more)


# Submission


def test_everything_that_exists_becomes_absolute(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("{}")
    (tmp_path / "mine.py").write_text("")
    (tmp_path / "base").mkdir()
    text = (
        "model: {name_or_path: base, tokenizer: base, chat_template: chatml}\n"
        "data: {path: ./rows.jsonl, prompt_function: 'mine.py:ask', completion_template: '{x}'}\n"
    )
    spec = resolve(_request(tmp_path, text))
    values = spec.model_dump()
    assert values["model"]["name_or_path"] == str(tmp_path / "base")
    assert values["model"]["tokenizer"] == str(tmp_path / "base")
    assert values["model"]["chat_template"] == "chatml"
    assert values["data"]["path"] == str(tmp_path / "rows.jsonl")
    assert values["data"]["prompt_function"] == f"{tmp_path}/mine.py:ask"
    assert spec.name == "base-rows"


def test_hub_names_stay_as_they_are(tmp_path: Path) -> None:
    text = "model: {name_or_path: org/model}\ndata: {path: org/rows}\n"
    values = resolve(_request(tmp_path, text)).model_dump()
    assert (values["model"]["name_or_path"], values["data"]["path"]) == ("org/model", "org/rows")
    assert values["name"] == "model-rows"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "model: {name_or_path: ./base}\ndata: {path: org/rows}",
            "run.yaml: model.name_or_path: there is no ./base in {folder}",
        ),
        (
            "model: {name_or_path: a}\ndata: {path: rows.csv}",
            "run.yaml: data.path: there is no rows.csv in {folder}",
        ),
        (
            "model: {name_or_path: a}\ndata: {path: /no/such/rows}",
            "run.yaml: data.path: there is no /no/such/rows",
        ),
        (
            "model: {name_or_path: a}\ndata: {path: b, prompt_function: 'x.py:f',"
            " completion_template: '{a}'}",
            "run.yaml: data.prompt_function: there is no x.py in {folder}",
        ),
        (
            "model: {name_or_path: a}\ndata: {path: b}\nlaunch: {host: lab}",
            "run.yaml: launch.host: there is no host 'lab'; known: local",
        ),
    ],
)
def test_what_cannot_be_there_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(SpecError) as refused:
        resolve(_request(tmp_path, text))
    assert str(refused.value) == sentence.format(folder=tmp_path)


def test_working_directory_must_be_absolute() -> None:
    with pytest.raises(LuthierError, match="'here' is not an absolute path"):
        resolve(_request(Path("here"), "model: {name_or_path: a}\ndata: {path: b}"))


def test_resolving_twice_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("")
    text = "model: {name_or_path: a}\ndata: {path: rows.csv}"
    spec = resolve(_request(tmp_path, text))
    assert resolve(SubmitRequest(spec=dump_spec(spec))) == spec
    assert changed(dump_spec(spec), [], "llm-sft") == spec


def test_a_run_keeps_its_task(tmp_path: Path) -> None:
    spec = resolve(_request(tmp_path, "model: {name_or_path: a}\ndata: {path: b}"))
    with pytest.raises(LuthierError, match="cannot go on as llm-generic"):
        changed(dump_spec(spec), ["task=llm-generic", "training={}"], "llm-sft")


# Diagnosis


def _ended(
    folder: Path, *events: Event, stop: bool = False, **report: Any
) -> tuple[AttemptFolder, ExitReport]:
    attempt = AttemptFolder(folder / "attempt-1")
    attempt.path.mkdir()
    writer = EventWriter(attempt.events)
    for event in events:
        writer.write(event)
    writer.close()
    if stop:
        attempt.stop_request.write_text("{}")
    values = {"code": 1, "signal": None, "ended_at": 5.0, "disk_free": 1 << 30, **report}
    return attempt, ExitReport.model_validate(values)


_ERROR = ErrorEvent(type="MemoryError", message="too big", hint="Use less.")


@pytest.mark.parametrize(
    ("events", "report", "stop", "state", "reason"),
    [
        ([DoneEvent(step=3)], {"code": 0}, False, RunState.SUCCEEDED, ""),
        ([DoneEvent(step=3)], {"code": 0}, True, RunState.SUCCEEDED, ""),
        (
            [DoneEvent(step=3, stopped=True)],
            {"code": 0},
            True,
            RunState.STOPPED,
            "Stopped after step 3.",
        ),
        (
            [],
            {"code": None, "signal": 15, "stopped_by": "terminate"},
            True,
            RunState.STOPPED,
            "Stopped without a new checkpoint.",
        ),
        ([_ERROR], {}, False, RunState.FAILED, "Too big."),
        (
            [_ERROR, PhaseEvent(name="loading")],
            {"code": None, "signal": 9},
            False,
            RunState.FAILED,
            "The worker was killed by signal 9 (SIGKILL).",
        ),
        (
            [],
            {"code": None, "signal": 9, "out_of_memory_killed": True},
            False,
            RunState.FAILED,
            "The system ended the worker because the machine's memory was used up.",
        ),
        ([], {"disk_free": 0}, False, RunState.FAILED, "The disk of {folder} is full."),
        (
            [],
            {"code": 127},
            False,
            RunState.FAILED,
            "The worker's command could not be run (exit code 127).",
        ),
        (
            [],
            {"code": None, "error": "no such file: python9"},
            False,
            RunState.FAILED,
            "No such file: python9.",
        ),
        (
            [DoneEvent(step=3)],
            {"code": 1},
            False,
            RunState.FAILED,
            "The worker ended with exit code 1.",
        ),
        (
            [],
            {"code": None, "signal": 63},
            False,
            RunState.FAILED,
            "The worker was killed by signal 63 (unknown signal).",
        ),
    ],
)
def test_ends_are_understood(
    tmp_path: Path,
    events: list[Event],
    report: dict[str, Any],
    stop: bool,
    state: RunState,
    reason: str,
) -> None:
    ending = diagnose(*_ended(tmp_path, *events, stop=stop, **report))
    assert (ending.state, ending.reason) == (state, reason.format(folder=tmp_path))
    if state is RunState.FAILED:
        assert ending.hint


def test_end_without_a_report_is_lost_unless_somebody_wanted_it(tmp_path: Path) -> None:
    attempt, _ = _ended(tmp_path)
    assert diagnose(attempt, None).state is RunState.LOST
    attempt.stop_request.write_text("{}")
    assert diagnose(attempt, None).state is RunState.STOPPED


def test_last_words_are_found_behind_a_long_run(tmp_path: Path) -> None:
    many = [MetricsEvent(step=step, values={"loss": 1.0}) for step in range(5000)]
    attempt, report = _ended(tmp_path, *many, _ERROR)
    assert attempt.events.stat().st_size > 256 * 1024
    assert diagnose(attempt, report).reason == "Too big."


# Records

_EVENTS = st.lists(
    st.one_of(
        st.builds(MetricsEvent, step=st.integers(0, 99), values=st.just({"loss": 0.5})),
        st.builds(EvaluationEvent, step=st.integers(0, 99), values=st.just({"eval_loss": 2.0})),
        st.builds(ProgressEvent, step=st.integers(0, 99), total=st.just(100)),
        st.builds(PhaseEvent, name=st.sampled_from(["loading", "training"])),
        st.builds(WarningEvent, message=st.just("careful")),
        st.builds(DoneEvent, artifact=st.just("artifacts/adapter")),
        st.none(),
    ),
    max_size=20,
)


_KEPT = _RECORD.model_copy(update={"attempts": [Attempt(number=1, started_at=1.0)]})


@given(_EVENTS, st.integers(0, 20))
def test_folding_in_pieces_is_folding_at_once(events: list[Event | None], cut: int) -> None:
    assert fold(fold(_RECORD, events[:cut]), events[cut:]) == fold(_RECORD, events)
    assert fold(_RECORD, events).folded == len(events)


def test_record_survives_the_disk(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / _RECORD.id)
    folder.path.mkdir()
    save_record(folder, _KEPT)
    assert load_record(folder) == _KEPT


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "not a run's record"),
        (b"{}", r"run\.json: not a run's record: id: Field required"),
        (b'{"id": "torn', "not a run's record"),
        (_RECORD.model_dump_json().encode(), "the run is running without an attempt"),
        (b"\xff\xfe", "not a run's record"),
        (
            json.dumps({**_KEPT.model_dump(mode="json"), "id": "other"}).encode(),
            "belongs to run other",
        ),
        (
            json.dumps({**_RECORD.model_dump(mode="json"), "state": "dancing"}).encode(),
            "state: Input should be 'queued'",
        ),
    ],
)
def test_wrong_record_is_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    folder = RunFolder(tmp_path / _RECORD.id)
    folder.path.mkdir()
    folder.record.write_bytes(content)
    with pytest.raises(LuthierError, match=sentence):
        load_record(folder)
