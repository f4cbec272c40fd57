"""The command reference has everything, and help says what it should."""

from __future__ import annotations

import typer

from luthier.agent.cli.app import app
from luthier.agent.cli.exit_codes import ExitCode, of_run
from luthier.agent.cli.reference import command_reference, commands
from luthier.agent.states import RunState

ROOT = typer.main.get_command(app)


def test_every_command_has_its_section_and_every_option_its_row() -> None:
    page = command_reference()
    found = list(commands(ROOT))
    assert len(found) > 20
    for path, command in found:
        heading = f"## luthier {' '.join(path)}\n"
        assert heading in page
        section = page.split(heading)[1].split("\n## ")[0]
        for parameter in command.params:
            for option in parameter.opts:
                if option.startswith("--") and option != "--help":
                    assert f"{option}" in section


def test_every_command_and_option_says_what_it_is_for() -> None:
    for path, command in commands(ROOT):
        assert command.help, path
        for parameter in command.params:
            assert parameter.help, (path, parameter.name)


def test_every_command_but_the_agent_itself_prints_json() -> None:
    without = [
        path
        for path, command in commands(ROOT)
        if not any("--json" in parameter.opts for parameter in command.params)
    ]
    # A shell and the agent's own process print nothing; predict prints JSON lines at all times.
    assert without == [("predict",), ("host", "shell"), ("agent", "run")]


def test_every_exit_code_is_in_the_reference() -> None:
    page = command_reference()
    for code in ExitCode:
        assert f"| {code.value} | {code.meaning} |" in page


def test_only_a_run_that_succeeded_ends_well() -> None:
    ended = {state: of_run(state) for state in RunState if state.finished}
    assert ended == {
        RunState.SUCCEEDED: ExitCode.OK,
        RunState.FAILED: ExitCode.FAILED,
        RunState.LOST: ExitCode.FAILED,
        RunState.STOPPED: ExitCode.STOPPED,
    }
