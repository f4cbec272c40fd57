"""A host that loses power and starts again: all of its processes at once, and nobody is told."""

from __future__ import annotations

import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from luthier.agent.processes import marked_processes
from luthier.agent.states import RunState

from .cables import Cable
from .conftest import Far, an_agent
from .servers import SshServer


class Machine(SshServer):
    """A server with processes and a network of its own, which have another id at each boot."""

    def boot(self) -> None:
        """Start, or start again."""
        self.boot_id = self.folder.with_name("boot_id")
        self.boot_id.write_text(f"{uuid.uuid4()}\n")
        self.start()

    @property
    def alone(self) -> list[str]:
        """What stands before a command that is to be the machine's first process."""
        own = f"mount --bind {self.folder.with_name('boot_id')} /proc/sys/kernel/random/boot_id"
        first = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c"]
        return [*first, f'{own} && exec "$@"', "sh"]


@pytest.fixture
def machine(cable: Cable, person: Path, tmp_path: Path) -> Iterator[Far]:
    """A whole machine at the other end of the cable, and an agent that knows it."""
    server = Machine(tmp_path / "sshd", address=cable.address, port=2222)
    server.prefix = ["ip", "netns", "exec", cable.namespace, *server.alone]
    server.prepare()
    (tmp_path / "boot_id").touch()
    if subprocess.run([*server.prefix, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("no process namespace can be made here")
    server.boot()
    shutil.copy(server.key, person / ".ssh" / "id_ed25519")
    try:
        with an_agent(tmp_path, server, {"cpu_slots": 2}) as found:
            yield found
    finally:
        server.kill()


def test_reboot(machine: Far, cable: Cable, workshop: Any, wait: Callable[..., Any]) -> None:
    agent, client, server = machine.agent, machine.agent.client, machine.server
    assert isinstance(server, Machine)
    gate, steps = workshop.file("go"), 40
    runs = {}
    for retries in (0, 1):
        behaviour = {"steps": steps, "hold": {"13": str(gate)}, "child": True}
        launch = {"host": "far", "retries": retries}
        runs[retries] = client.submit(workshop.spec(behaviour, launch=launch)).id
    for run in runs.values():
        agent.reached(run, 13)
        # It comes just behind the events.
        wait(agent.home.run(run).attempt(1).supervisor.exists)
    before = [agent.supervisor(run) for run in runs.values()]

    cable.cut()
    server.kill()
    # The supervisors, the workers and their children, wherever their sessions.
    wait(
        lambda: [marked_processes(f"{run}/1") for run in runs.values()],
        lambda left: not any(left[0] + left[1]),
    )
    server.boot()
    cable.mend()

    lost = agent.ended(runs[0], seconds=120)
    assert (lost.state, lost.resumable, len(lost.attempts)) == (RunState.LOST, True, 1)
    gate.touch()
    again = agent.ended(runs[1], seconds=120)
    assert (again.state, len(again.attempts)) == (RunState.SUCCEEDED, 2)
    client.resume(runs[0])
    done = agent.ended(runs[0], seconds=120)
    assert (done.state, len(done.attempts)) == (RunState.SUCCEEDED, 2)
    for run, old in zip(runs.values(), before, strict=True):
        # From the last checkpoint, which was that of step 10.
        assert agent.stored_steps(run) == [*range(1, 14), *range(11, steps + 1)]
        new = agent.supervisor(run, 2)
        assert new.boot_id != old.boot_id
        assert new.boot_id == server.boot_id.read_text().strip()
