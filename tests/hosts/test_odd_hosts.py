"""Hosts that are not as one would like them: shells, Pythons, full disks, other users' GPUs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from luthier.agent.errors import RefusedError
from luthier.agent.hosts.devices import parse_accelerators
from luthier.agent.hosts.errors import HostError
from luthier.agent.hosts.preflight import check_host
from luthier.agent.hosts.setup import requirements, use_python
from luthier.agent.hosts.ssh_host import SshHost
from luthier.agent.models import HostCheck
from luthier.agent.states import RunState

from .conftest import Far, an_agent
from .servers import SshServer

_MIB = 1 << 20


def levels(checks: list[HostCheck]) -> dict[str, str]:
    return {check.name: check.level for check in checks}


def test_preflight_of_a_good_host(sshd: SshServer, known: Callable[..., SshHost]) -> None:
    host = known(sshd, python=sys.executable)
    found = list(check_host(host, hub=False))
    assert levels(found)["reachable"] == levels(found)["python"] == "green"
    assert {"shell", "clock", "disk", "memory", "accelerators", "torch", "hub"} <= set(
        levels(found)
    )
    assert all(check.remedy for check in found if check.level != "green")


def test_every_line_of_a_bad_host_says_what_to_do(
    sshd: SshServer, known: Callable[..., SshHost]
) -> None:
    host = known(sshd)
    bare = list(check_host(host, hub=False))[-1]
    assert (bare.name, bare.level) == ("python", "red")
    assert "luthier host setup far" in bare.remedy
    sshd.kill()
    other = known(sshd, python=sys.executable)
    (gone,) = check_host(other, hub=False)
    assert (gone.name, gone.level) == ("reachable", "red")
    assert "Connection refused" in gone.found
    assert gone.remedy


def test_every_line_that_a_python_there_can_fail(
    sshd: SshServer, known: Callable[..., SshHost], tmp_path: Path, monkeypatch: Any
) -> None:
    for name in ("_NO_DISK", "_LITTLE_DISK", "_LITTLE_MEMORY"):
        monkeypatch.setattr(f"luthier.agent.hosts.preflight.{name}", 1 << 60)
    python = tmp_path / "python"
    answer = {
        "version": [3, 12, 0],
        "packages": {"torch": "1.0", "trl": None, "lightgbm": None},
        "torch": None,
        "torch_error": "OSError: libcudart.so: cannot open shared object file",
        "hub": "Network is unreachable",
    }
    host = known(sshd, python=str(python), helper=sys.executable)

    def checks() -> dict[str, HostCheck]:
        python.write_text(f"#!/bin/sh\ncat <<'X'\nA warning.\nluthier:{json.dumps(answer)}\nX\n")
        python.chmod(0o755)
        found = {check.name: check for check in check_host(host)}
        assert all(check.remedy for check in found.values() if check.level != "green")
        return found

    found = checks()
    expected = {"disk": "red", "memory": "yellow", "packages": "red", "torch": "red"}
    assert {**expected, "hub": "yellow", "python": "green"}.items() <= levels(
        list(found.values())
    ).items()
    assert found["packages"].found.startswith("missing: trl; torch 1.0 (needed: ")
    assert "libcudart" in found["torch"].found
    assert "--offline" in found["hub"].remedy
    answer["packages"] = {"lightgbm": None}
    answer["torch"] = {"version": "2.13.0", "cuda": 0, "qaic": 0}
    found = checks()
    assert (found["packages"].level, found["torch"].level) == ("yellow", "green")
    answer["version"] = [3, 9, 1]
    assert "3.10 or newer" in checks()["python"].remedy


def test_clock_that_is_wrong_is_told(sshd: SshServer, known: Callable[..., SshHost]) -> None:
    host = known(sshd, helper=sys.executable)
    host.link.ready().clock_skew = -70.0
    (clock,) = (check for check in check_host(host) if check.name == "clock")
    assert (clock.level, clock.found) == ("yellow", "70.0 s behind")
    assert "NTP" in clock.remedy


def test_wrong_pythons_are_refused(
    sshd: SshServer, known: Callable[..., SshHost], tmp_path: Path
) -> None:
    host = known(sshd)
    old = tmp_path / "python2"
    old.write_text("#!/bin/sh\necho SyntaxError: this is an old Python >&2; exit 1\n")
    old.chmod(0o755)
    with pytest.raises(HostError, match="SyntaxError: this is an old Python"):
        use_python(host, str(old))
    with pytest.raises(HostError, match="No such file"):
        use_python(host, "/no/such/python")
    with pytest.raises(HostError, match="no absolute path"):
        use_python(host, "python3")
    assert use_python(host, sys.executable) == sys.executable


def test_what_is_set_up_is_what_training_needs() -> None:
    names = {requirement.split(">")[0].split("=")[0] for requirement in requirements()}
    assert {"torch", "transformers", "trl", "peft", "pydantic", "PyYAML"} <= names
    assert not {"textual", "typer", "paramiko", "pytest"} & names


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "tcsh", "dash"])
def test_login_shells(
    another: Callable[..., SshServer], known: Callable[..., SshHost], shell: str
) -> None:
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not installed")
    # As sshd does it for an account with that shell.
    extra = f'ForceCommand exec {found} -c "$SSH_ORIGINAL_COMMAND"\n'
    host = known(another("odd", extra=extra), helper=sys.executable)
    assert host.link.ready().hello["python"]


def test_slow_login_shell_that_talks(
    another: Callable[..., SshServer], known: Callable[..., SshHost]
) -> None:
    talk = 'echo Welcome; sleep 1; printf "no end of line"'
    extra = f'ForceCommand {talk}; eval "$SSH_ORIGINAL_COMMAND"\n'
    host = known(another("odd", extra=extra), helper=sys.executable)
    assert host.link.ready().hello["user"]
    with host.link.courier() as channel:
        assert channel.converse("sizes", paths=["/"])["sizes"] == [-1]


def test_account_without_a_shell_is_told(
    another: Callable[..., SshServer], known: Callable[..., SshHost]
) -> None:
    extra = "ForceCommand echo This account is not available; exit 1\n"
    host = known(another("odd", extra=extra))
    with pytest.raises(HostError, match=r"login shell did not run .*This account is not available"):
        host.link.ready()


def test_folder_that_cannot_be_made_is_told(sshd: SshServer, known: Callable[..., SshHost]) -> None:
    host = known(sshd, helper=sys.executable, folder="/proc/ours")
    (check,) = check_host(host, hub=False)
    assert "/proc/ours: No such file or directory." in check.found
    assert "--folder PATH" in check.remedy


def test_host_without_python_is_told(
    another: Callable[..., SshServer], known: Callable[..., SshHost]
) -> None:
    extra = 'ForceCommand PATH=/nonexistent; export PATH; eval "$SSH_ORIGINAL_COMMAND"\n'
    host = known(another("odd", extra=extra))
    with pytest.raises(HostError, match="has no Python that can be used"):
        host.link.ready()


_NVIDIA = """\
#!/bin/sh
case "$*" in
*query-gpu*) cat <<'X'
0, NVIDIA H100 80GB HBM3, 81559, 3001, 17, 41, 120.50, 700.00, GPU-aa, 570.1, 9.0
1, NVIDIA H100 80GB HBM3, 81559, 0, 0, 33, [N/A], 700.00, GPU-bb, 570.1, 9.0
X
;;
*) echo GPU-aa, $(cat PIDFILE), 3000 ;;
esac
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_gpus_that_others_use_are_respected(
    tmp_path: Path, person: Path, another: Callable[..., SshServer], workshop: Any, wait: Any
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    stranger = subprocess.Popen(["sleep", "1000"], user=12345, cwd="/")
    (tools / "pid").write_text(str(stranger.pid))
    (tools / "nvidia-smi").write_text(_NVIDIA.replace("PIDFILE", f"{tools}/pid"))
    (tools / "nvidia-smi").chmod(0o755)
    extra = f'ForceCommand PATH={tools}:$PATH; export PATH; eval "$SSH_ORIGINAL_COMMAND"\n'
    server = another("gpus", extra=extra)
    shutil.copy(server.key, person / ".ssh" / "id_ed25519")
    try:
        with an_agent(tmp_path, server) as far:
            _only_the_free_one_is_given(far, workshop, wait)
    finally:
        stranger.kill()
        stranger.wait()


def _only_the_free_one_is_given(far: Far, workshop: Any, wait: Any) -> None:
    client, gate = far.agent.client, workshop.file("go")
    _, used, free = client.hosts.hardware("far").devices
    assert used.others[0].startswith("12345 (pid ")
    assert (free.others, free.power, free.memory_total) == ([], None, 81559 * _MIB)
    spec = workshop.spec({"steps": 3, "hold": {"2": str(gate)}}, launch={"host": "far"})
    first, second = client.submit(spec), client.submit(spec)
    assert far.agent.reached(first.id, 2).attempts[0].devices == ["cuda:1"]
    waiting = wait(lambda: client.run(second.id), lambda run: "used by" in run.reason)
    assert "Waits for cuda:0, which is used by 12345" in waiting.reason
    # Who names it takes it.
    spec["launch"] = {"host": "far", "devices": [0]}
    chosen = client.submit(spec)
    client.move(chosen.id, 0)
    assert far.agent.reached(chosen.id, 2).attempts[0].devices == ["cuda:0"]
    gate.touch()
    for run in (first, second, chosen):
        assert far.agent.ended(run.id).state is RunState.SUCCEEDED


def test_accelerators_of_every_maker() -> None:
    rocm = (
        '{"card0": {"Card Series": "MI300X", "VRAM Total Memory (B)": "206141652992",'
        ' "VRAM Total Used Memory (B)": "1048576", "GPU use (%)": "7",'
        ' "Temperature (Sensor edge) (C)": "38.0"}, "system": {}}'
    )
    qaic = "QID 0\n\tStatus:Ready\n\tDram Total:31391744 KB\n\tDram Free:31391744 KB\n"
    devices, problems = parse_accelerators(
        {
            "rocm": {"code": 0, "said": rocm, "error": ""},
            "qaic": {"code": 0, "said": qaic, "error": ""},
            "nvidia": {"code": 9, "said": "", "error": "NVIDIA-SMI has failed: no driver"},
        }
    )
    assert [device.id for device in devices] == ["cuda:0", "qaic:0"]
    assert (devices[0].memory_total, devices[0].utilisation) == (206141652992, 7.0)
    assert problems == ["nvidia-smi failed: NVIDIA-SMI has failed: no driver."]
    assert parse_accelerators({}) == ([], [])


def test_cards_there_are_seen_through_their_tool(
    another: Callable[..., SshServer], known: Callable[..., SshHost], tmp_path: Path
) -> None:
    tool = tmp_path / "tools" / "qaic-util"
    tool.parent.mkdir()
    recorded = Path(__file__).parent.parent / "fixtures" / "qaic" / "ultra.txt"
    tool.write_text(f'#!/bin/sh\n[ "$*" = -q ] && cat {recorded}\n')
    tool.chmod(0o755)
    extra = f'ForceCommand PATH={tool.parent}:$PATH; export PATH; eval "$SSH_ORIGINAL_COMMAND"\n'
    host = known(another("cards", extra=extra), helper=sys.executable)
    checks = [check for check in check_host(host, hub=False) if check.name == "accelerators"]
    assert [check.found.split()[0] for check in checks] == [f"qaic:{number}" for number in range(4)]
    assert "of 29.9 GiB free" in checks[0].found
    assert {device.id for device in host.devices()} == {"cpu", *(f"qaic:{i}" for i in range(4))}
    tool.write_text("#!/bin/sh\necho Failed to open the device. >&2; exit 1\n")
    (bare,) = [
        check
        for check in check_host(host, hub=False)
        if check.level == "yellow" and check.name == "accelerators"
    ]
    assert bare.found == (
        "qaic-util -q failed: Failed to open the device. Its user must be in the group qaic."
    )


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 8 MiB."""
    folder = tmp_path / "far"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("a small disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_full_disk_there(small_disk: Path, far: Far, workshop: Any, tmp_path: Path) -> None:
    client = far.agent.client
    model = tmp_path / "model"
    model.mkdir()
    (model / "weights").write_bytes(os.urandom(16 * _MIB))
    on_far = {"host": "far"}
    spec = workshop.spec({"steps": 2}, launch=on_far, model={"name_or_path": str(model)})
    failed = far.agent.ended(client.submit(spec).id)
    assert failed.state is RunState.FAILED
    assert "No space left on device" in failed.reason
    for path in small_disk.rglob("*.part"):
        path.unlink()
    # The data fits, and the run fills what is left.
    run = client.submit(workshop.spec({"steps": 5, "fill": 3, "crash": {"4": 1}}, launch=on_far))
    full = far.agent.ended(run.id)
    assert full.state is RunState.FAILED
    assert full.reason == f"The disk of {small_disk}/runs/{run.id} on far is full."
    assert far.agent.stored_steps(run.id)[:3] == [1, 2, 3]


def test_host_key_changed_while_a_run_goes_on(far: Far, workshop: Any, wait: Any) -> None:
    client, gate = far.agent.client, workshop.file("go")
    run = client.submit(
        workshop.spec({"steps": 10, "hold": {"5": str(gate)}}, launch={"host": "far"})
    )
    far.agent.reached(run.id, 3)
    far.server.kill()
    old = (far.server.folder / "host_key").read_bytes()
    far.server.new_host_key()
    far.server.start()
    host = wait(lambda: client.hosts.get("far"), lambda host: "another host key" in host.trouble)
    assert host.unreachable_since is not None
    with pytest.raises(RefusedError, match="ssh-keygen -R"):
        client.hosts.connect("far")
    assert client.run(run.id).state is RunState.RUNNING
    # The right machine is back.
    far.server.kill()
    (far.server.folder / "host_key").write_bytes(old)
    far.server.start()
    client.hosts.connect("far")
    gate.touch()
    assert far.agent.ended(run.id).state is RunState.SUCCEEDED
