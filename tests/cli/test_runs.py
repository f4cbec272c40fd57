"""The commands about runs, with a real agent, real processes and a worker without torch."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Luthier

Submit = Callable[..., str]
Begin = Callable[[], str]
Resume = Callable[[str, int], None]


@pytest.mark.parametrize(
    ("name", "code", "state"),
    [("short", 0, "succeeded"), ("failing", 1, "failed"), ("dying", 1, "failed")],
)
def test_waiting_ends_like_the_run(
    luthier: Luthier, submit: Submit, name: str, code: int, state: str
) -> None:
    submit("short", "--wait")
    ended = luthier("run", "spec.yaml", "--name", name, "--wait", "--json")
    assert (ended.code, ended.json["state"], ended.err) == (code, state, "")


def test_a_run_that_was_stopped_has_its_own_code(luthier: Luthier, begin: Begin) -> None:
    run = begin()
    assert luthier("stop", run).code == 0
    watched = luthier("watch", run)
    assert watched.code == 4
    assert f"{run} stopped" in watched.out
    assert f"luthier resume {run}" in watched.out


def test_watching_without_a_terminal_prints_lines(luthier: Luthier, submit: Submit) -> None:
    watched = luthier("watch", submit("short"))
    lines = watched.out.splitlines()
    assert watched.code == 0
    assert "warning: train.jsonl: row 3 is empty" in lines
    assert "on cpu (float32), single, 100 of 1,000 parameters trained (10.00%)" in lines
    assert "evaluation at step 20  eval_loss 0.25" in lines
    assert "sample at step 20: May 1 1900 -> 1900-05-01" in lines
    assert sum(line.startswith("step ") for line in lines) == 20
    assert "\x1b" not in watched.out


def test_watching_as_json_tells_every_event_once_and_the_run_last(
    luthier: Luthier, submit: Submit
) -> None:
    told = luthier("watch", submit("short"), "--json").json_lines
    steps = [each["step"] for each in told if each["kind"] == "metrics"]
    assert steps == list(range(1, 21))
    assert told[-1]["kind"] == "run"
    assert told[-1]["state"] == "succeeded"


def test_a_run_that_has_ended_is_told_the_same_way(luthier: Luthier, submit: Submit) -> None:
    run = submit("short", "--wait")
    again = luthier("watch", run)
    assert again.code == 0
    assert again.out.splitlines()[-2].startswith(f"{run} succeeded after")


def test_runs_lists_the_newest_first_and_by_state(luthier: Luthier, submit: Submit) -> None:
    first, second = submit("short", "--wait"), submit("failing", "--wait")
    assert [run["id"] for run in luthier("runs", "--json").json] == [second, first]
    assert [run["id"] for run in luthier("runs", "--limit", "1", "--json").json] == [second]
    failed = luthier("runs", "--state", "failed", "--json").json
    assert [run["id"] for run in failed] == [second]
    assert luthier("runs", "--state", "active", "--json").json == []
    table = luthier("runs").out
    assert first in table
    assert "100%" in table


def test_a_run_is_found_by_name_and_by_a_beginning_of_its_id(
    luthier: Luthier, submit: Submit
) -> None:
    run = submit("short", "--wait")
    assert luthier("show", "short", "--json").json["id"] == run
    assert luthier("show", run[:-2], "--json").json["id"] == run


def test_show_says_what_is_known(luthier: Luthier, submit: Submit) -> None:
    run = submit("failing", "--wait")
    shown = luthier("show", run).out
    for part in (run, "failing", "llm-sft", "failed", "The row is bad", "Mend it.", "code 1"):
        assert part in shown
    assert f"luthier logs {run}" in shown


def test_logs_are_whole_or_a_tail(luthier: Luthier, submit: Submit) -> None:
    run = submit("short", "--wait")
    whole = luthier("logs", run).out.splitlines()
    assert whole == ["tiny worker: short, attempt 1", *(f"step {n}" for n in range(1, 21))]
    assert luthier("logs", run, "--tail", "2").out == "step 19\nstep 20\n"
    assert luthier("logs", run, "--tail", "0").out == ""
    assert luthier("logs", run, "-n", "1", "--json").json["lines"] == ["step 20"]


def test_following_logs_ends_with_the_run(luthier: Luthier, submit: Submit) -> None:
    followed = luthier("logs", submit("short"), "--follow", "--json")
    lines = [each["line"] for each in followed.json_lines]
    assert lines == ["tiny worker: short, attempt 1", *(f"step {n}" for n in range(1, 21))]


def test_a_resumed_run_has_two_attempts_with_their_own_logs(
    luthier: Luthier, begin: Begin, resume: Resume
) -> None:
    run = begin()
    luthier("stop", run)
    luthier("watch", run)
    resume(run, 2)
    luthier("stop", run)
    luthier("watch", run)
    assert len(luthier("show", run, "--json").json["attempts"]) == 2
    first = luthier("logs", run, "--attempt", "1").out.splitlines()[0]
    latest = luthier("logs", run).out.splitlines()[0]
    assert (first, latest) == (
        "tiny worker: endless, attempt 1",
        "tiny worker: endless, attempt 2",
    )


def test_metrics_as_table_csv_and_json(luthier: Luthier, submit: Submit) -> None:
    run = submit("short", "--wait")
    table = luthier("metrics", run)
    assert "loss" in table.out
    assert "▁" in table.out
    rows = list(csv.DictReader(io.StringIO(luthier("metrics", run, "loss", "--csv").out)))
    assert [int(row["step"]) for row in rows] == list(range(1, 21))
    assert [float(row["loss"]) for row in rows] == [2.0 / step for step in range(1, 21)]
    (series,) = luthier("metrics", run, "loss", "--json").json
    assert series["points"] == 20
    assert series["series"]["steps"] == list(range(1, 21))


def test_removing_takes_the_folder_too(luthier: Luthier, submit: Submit, agent: Path) -> None:
    first, second = submit("short", "--wait"), submit("failing", "--wait")
    assert luthier("remove", first, second, "--json").json == {"removed": [first, second]}
    assert luthier("runs", "--json").json == []
    assert list((agent / "runs").iterdir()) == []


def test_a_wrong_run_among_right_ones_removes_nothing(
    luthier: Luthier, submit: Submit, begin: Begin
) -> None:
    ended, running = submit("short", "--wait"), begin()
    assert luthier("remove", ended, "nonsense").code == 2
    assert luthier("remove", ended, running).code == 2
    assert len(luthier("runs", "--json").json) == 2


NO_RUN = "There is no run 'nonsense'. List the runs with: luthier runs"
MUST_END = "Run RUN is running; it must have ended to {} it. Stop it with: luthier stop RUN"


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        ("show nonsense", NO_RUN),
        ("watch nonsense", NO_RUN),
        ("logs nonsense", NO_RUN),
        ("metrics nonsense", NO_RUN),
        ("stop nonsense", NO_RUN),
        ("resume nonsense", NO_RUN),
        ("remove nonsense", NO_RUN),
        ("chat nonsense", NO_RUN),
        ("export nonsense --to x", NO_RUN),
        ("stop short", "Run RUN is finished already: it succeeded."),
        ("metrics short los", "The run has no metric 'los'. Did you mean loss?"),
        ("logs short --attempt 7", "Run RUN has no attempt 7."),
        ("resume short", "Run RUN has succeeded; there is nothing left to do. Give it more to do "
         "with --set, such as --set training.max_steps=200."),
        ("resume short --set training.max_step=3", "--set: unknown key training.max_step; did you "
         "mean training.max_steps?"),
        ("remove endless", MUST_END.format("remove")),
        ("resume endless", MUST_END.format("resume")),
        ("chat endless", "Run RUN is running; chat with it once it has ended."),
        ("export endless --to x", "RUN has no result yet. Wait for its end, or name one of its "
         "checkpoints."),
        ("export short --to . ", ". exists already. Name a new or an empty folder."),
        ("export short --to x --checkpoint 3", "RUN has no checkpoint of step 3. It has: 20."),
    ],
)  # fmt: skip
def test_a_wrong_run_or_state(busy: Luthier, call: str, sentence: str) -> None:
    run = busy("show", "endless" if "endless" in call else "short", "--json").json["id"]
    refused = busy(*call.split())
    assert (refused.code, refused.out) == (2, "")
    assert refused.errors == [sentence.replace("RUN", run)]


@pytest.mark.parametrize(
    "call",
    [
        "runs", "show short", "logs short", "metrics short", "watch short", "hardware",
        "agent status", "agent start", "agent logs", "tasks", "tasks llm-sft", "presets",
        "presets llm-sft/balanced", "doctor", "validate spec.yaml", "data inspect data.jsonl",
        "init llm-sft", "init llm-sft -o -", "logs short --follow",
    ],
)  # fmt: skip
def test_every_command_prints_json_alone(busy: Luthier, call: str) -> None:
    said = busy(*call.split(), "--json")
    assert (said.code, said.err) == (0, "")
    stream = call.startswith("watch") or "--follow" in call
    assert said.json_lines if stream else said.json


def test_commands_that_change_a_run_print_json_alone(luthier: Luthier, begin: Begin) -> None:
    run = begin()
    assert luthier("stop", run, "--json").json["id"] == run
    assert luthier("watch", run, "--json").json_lines[-1]["state"] == "stopped"
    assert luthier("resume", run, "--json").json["state"] == "queued"
    assert luthier("stop", run, "--now", "--json").json["id"] == run
    luthier("watch", run)
    assert luthier("remove", run, "--json").json == {"removed": [run]}


@pytest.mark.parametrize(
    "call",
    [
        "runs", "show short", "metrics short", "watch short", "hardware", "agent status",
        "tasks", "tasks llm-sft --all", "presets", "doctor", "data inspect data.jsonl", "--help",
        "run --help",
    ],
)  # fmt: skip
def test_without_a_terminal_nothing_controls_one_and_80_columns_are_enough(
    busy: Luthier, call: str
) -> None:
    said = busy(*call.split())
    assert (said.code, said.err) == (0, "")
    assert not any(ord(character) < 32 and character != "\n" for character in said.out)
    # Paths and commands to type stay in one piece.
    long = [line for line in said.out.splitlines() if len(line) > 80]
    assert [line for line in long if "/" not in line and ": luthier " not in line] == []
