"""Predictions through a real agent, by the result of a run that it trained."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import pytest

from luthier.agent.errors import RefusedError
from luthier.agent.models import PredictChunk, PredictRequest, RunDetail
from luthier.agent.paths import Home
from luthier.agent.states import RunState
from luthier.trainers.registry import find_task

from .documented import Documented

if TYPE_CHECKING:
    from .conftest import RealAgent

pytestmark = [pytest.mark.training, pytest.mark.timeout(900)]
_TASK = find_task("text-classification")
_PATIENCE = 280.0


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RealAgent, RunDetail]]:
    """An agent with one finished run, and one that failed."""
    from tests.agent.conftest import RealAgent

    folder = tmp_path_factory.mktemp("predicting")
    _TASK.imported("tiny")(folder / "model", _TASK.sample)
    agent = RealAgent(Home(folder / "home"))
    agent.write_settings(worker_command=[], offline=True)
    client = agent.start()
    spec = {
        "task": _TASK.id,
        "name": "topics",
        "model": {"name_or_path": str(folder / "model")},
        "data": {"path": str(_TASK.sample)},
        "training": {"max_steps": 4},
        "launch": {"devices": "cpu", "offline": True, "threads": 1},
    }
    run = client.submit(spec)
    done = agent.ended(run.id, seconds=_PATIENCE)
    assert done.state is RunState.SUCCEEDED, done.reason
    yield agent, done
    agent.end_everything()


def _predict(agent: RealAgent, run: str, **request: Any) -> list[PredictChunk]:
    return list(agent.client.predict(run, PredictRequest(**request)))


def _workers(agent: RealAgent) -> list[psutil.Process]:
    assert agent.process is not None
    return [
        child
        for child in psutil.Process(agent.process.pid).children()
        if "luthier.trainers.predicting.worker" in child.cmdline()
    ]


def test_a_text_a_table_and_rows(trained: tuple[RealAgent, RunDetail], tmp_path: Path) -> None:
    agent, run = trained
    first, answer, last = _predict(agent, "topics", input="The storm came overnight.")
    assert first.total == 1
    assert answer.input == {"text": "The storm came overnight."}
    assert answer.prediction is not None
    assert answer.prediction["label"] in ("music", "sport", "weather")
    assert (last.finish, last.error) == ("done", "")

    # The run's own column is looked for first.
    table = tmp_path / "more.csv"
    table.write_text("id,text\n7,The choir sang.\n8,The rain fell.\n", encoding="utf-8")
    chunks = _predict(agent, run.id, input=str(table))
    assert [chunk.where for chunk in chunks[1:-1]] == ["more.csv row 1", "more.csv row 2"]

    chunks = _predict(agent, run.id, input=["The choir sang.", str(table)])
    assert [chunk.where for chunk in chunks[1:-1]] == ["input", "more.csv row 1", "more.csv row 2"]

    chunks = _predict(agent, run.id, rows=[{"text": "one"}, {"text": "two"}, {"text": "three"}])
    assert [chunk.index for chunk in chunks[1:-1]] == [0, 1, 2]
    with httpx.Client(
        transport=httpx.HTTPTransport(uds=str(agent.home.socket)), base_url="http://luthier"
    ) as http:
        request = {"rows": [{"text": "one"}]}
        with http.stream("POST", f"/v1/runs/{run.id}/predict", json=request, timeout=60) as stream:
            assert Documented(http).check_stream("predict", stream)[-1]["finish"] == "done"

    # One worker did it all, on the CPU that any run may have meanwhile.
    assert len(_workers(agent)) == 1
    (cpu, *_) = agent.client.hardware().devices
    assert (cpu.guests, cpu.runs) == (["predictions of topics"], [])


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ({"input": "gone.csv"}, "gone.csv: there is no such file"),
        ({"input": '{"txt": "a"}'}, "has no text"),
        ({"input": '{"text": '}, "not valid JSON"),
        ({"rows": [{"text": ""}]}, "Row 1 has no text"),
    ],
)
def test_wrong_inputs_get_a_sentence(
    trained: tuple[RealAgent, RunDetail], request_: dict[str, Any], sentence: str
) -> None:
    agent, run = trained
    (chunk,) = _predict(agent, run.id, **request_)
    assert chunk.finish == "error"
    assert chunk.mistake
    assert sentence in chunk.error
    assert "\n" not in chunk.error


def test_tables_that_cannot_be_read(trained: tuple[RealAgent, RunDetail], tmp_path: Path) -> None:
    agent, run = trained
    for name, content, sentence in (
        ("a.csv", "body\nx\n", "no column is known to be the text"),
        ("b.csv", "text,n\nx,1\n,2\n", "b.csv row 2: text is empty"),
        ("c.jsonl", "{\n", "c.jsonl line 1: is not valid JSON"),
        ("d.txt", "", "is empty"),
    ):
        (tmp_path / name).write_text(content, encoding="utf-8")
        chunk = _predict(agent, run.id, input=str(tmp_path / name))[-1]
        assert sentence in chunk.error, name


def test_who_cannot_predict_is_refused(trained: tuple[RealAgent, RunDetail]) -> None:
    agent, _ = trained
    with pytest.raises(RefusedError, match="no run"):
        _predict(agent, "nobody", input="a")
    spec = {
        "task": "llm-sft",
        "model": {"name_or_path": "none"},
        "data": {"path": str(find_task("llm-sft").sample)},
        "launch": {"devices": "cpu", "offline": True},
    }
    run = agent.client.submit(spec)
    agent.client.stop(run.id, now=True)
    agent.ended(run.id, seconds=_PATIENCE)
    with pytest.raises(RefusedError, match="does not predict; talk to it with: luthier chat"):
        _predict(agent, run.id, input="a")


def test_a_reader_that_leaves_ends_its_prediction(trained: tuple[RealAgent, RunDetail]) -> None:
    agent, run = trained
    rows = [{"text": f"row {number}"} for number in range(20_000)]
    stream = agent.client.predict(run.id, PredictRequest(rows=rows))
    assert next(stream).total == len(rows)
    stream.close()  # type: ignore[attr-defined]
    # The next is answered although the first had hardly begun.
    assert _predict(agent, run.id, input="The choir sang.")[-1].finish == "done"


def test_a_killed_worker_is_replaced(trained: tuple[RealAgent, RunDetail]) -> None:
    agent, run = trained
    assert _predict(agent, run.id, input="The choir sang.")[-1].finish == "done"
    (worker,) = _workers(agent)
    os.kill(worker.pid, 9)
    worker.wait(60)
    assert _predict(agent, run.id, input="The choir sang.")[-1].finish == "done"


def test_reports_are_kept(trained: tuple[RealAgent, RunDetail]) -> None:
    agent, run = trained
    reports = agent.client.events(run.id, kinds=["report"])
    assert {report.event["name"] for report in reports} == {
        "confusion_matrix",
        "per_class",
        "calibration",
        "worst",
    }
    assert json.dumps([report.event["rows"] for report in reports])
