"""Whether a host can run something: each line says how it stands and what would mend it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from importlib import metadata
from typing import Any, Literal

from luthier.trainers.errors import LuthierError

from .. import text
from ..models import HostCheck, HostReport
from .errors import DecisionNeededError
from .ssh_host import SshHost

_OLDEST_PYTHON = (3, 10)
_LITTLE_DISK = 20 << 30
_NO_DISK = 1 << 30
_LITTLE_MEMORY = 4 << 30
_MUCH_SKEW = 5.0
_SHELLS = ("bash", "zsh", "fish", "csh", "tcsh", "sh", "dash", "ksh")
_REQUIREMENT = re.compile(r"""([\w.-]+)\s*>=\s*([\d.]+).*extra == ["']train["']""")
_ESSENTIAL = (
    "torch",
    "transformers",
    "trl",
    "peft",
    "accelerate",
    "datasets",
    "pydantic",
    "PyYAML",
)

# Run there by the Python that trains, which need not have anything of ours.
_QUESTION = """\
import json, os, sys
from importlib import metadata
found = {"version": list(sys.version_info[:3]), "packages": {}, "torch": None}
for name in json.loads(sys.argv[1]):
    try:
        found["packages"][name] = metadata.version(name)
    except metadata.PackageNotFoundError:
        found["packages"][name] = None
try:
    if sys.argv[2] == "quick":
        raise ImportError("not looked for")
    import torch
    found["torch"] = {
        "version": torch.__version__,
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
    }
    try:
        import torch_qaic
        found["torch"]["qaic"] = torch.qaic.device_count()
    except Exception:
        found["torch"]["qaic"] = 0
except Exception as error:
    found["torch_error"] = "%s: %s" % (type(error).__name__, error)
if sys.argv[2] == "hub" and os.environ.get("HF_HUB_OFFLINE", "") in ("", "0"):
    import urllib.request
    try:
        url = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
        urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=8)
        found["hub"] = True
    except Exception as error:
        found["hub"] = str(getattr(error, "reason", error))
print("luthier:" + json.dumps(found))
"""


def check_host(host: SshHost, *, hub: bool = True) -> Iterator[HostCheck]:
    """Every check, in the order in which one mends things; it ends where nothing more can be seen.

    Args:
        host: which.
        hub: whether to see if the host reaches the hub; off where nobody may open a connection.

    Raises:
        DecisionNeededError: a person must decide or type something first.
    """
    try:
        session = host.link.ready()
        report = host.report({})
    except DecisionNeededError:
        raise
    except LuthierError as error:
        remedy = error.hint or f"See what ssh says: luthier host shell {host.name}"
        yield HostCheck(name="reachable", level="red", found=error.message, remedy=remedy)
        return
    hello = session.hello
    account = session.connection.settings.account
    yield HostCheck(
        name="reachable", level="green", found=f"{account} ({hello['hostname']}, {report.system})"
    )
    yield _shell(hello)
    yield _clock(session.clock_skew)
    yield _disk(report, hello)
    yield _memory(report)
    yield from _accelerators(report)
    yield from _python(host, report, hub and not host.record.offline)


def _shell(hello: Mapping[str, Any]) -> HostCheck:
    shell = hello["shell"]
    known = shell in _SHELLS
    return HostCheck(
        name="shell",
        level="green" if known else "yellow",
        found=f"{shell}, which runs our commands through /bin/sh",
        remedy="" if known else "It works, but nobody has tried this shell; report what does not.",
    )


def _clock(skew: float) -> HostCheck:
    found = f"{abs(skew):.1f} s {'ahead' if skew > 0 else 'behind'}"
    if abs(skew) < _MUCH_SKEW:
        return HostCheck(name="clock", level="green", found=found)
    return HostCheck(
        name="clock",
        level="yellow",
        found=found,
        remedy="Times in logs and charts will not fit; turn on NTP there or here.",
    )


def _disk(report: HostReport, hello: Mapping[str, Any]) -> HostCheck:
    found = f"{text.size(report.disk_free)} free for {hello['folder']}"
    remedy = "Free some space there, or add the host again with --folder on a larger disk."
    level = "red" if report.disk_free < _NO_DISK else "yellow"
    if report.disk_free >= _LITTLE_DISK:
        return HostCheck(name="disk", level="green", found=found)
    return HostCheck(name="disk", level=level, found=found, remedy=remedy)


def _memory(report: HostReport) -> HostCheck:
    found = f"{text.size(report.memory_available)} of {text.size(report.memory_total)} free"
    if report.memory_available >= _LITTLE_MEMORY:
        return HostCheck(name="memory", level="green", found=found)
    remedy = "Only small models will fit; see what else runs there."
    return HostCheck(name="memory", level="yellow", found=found, remedy=remedy)


def _accelerators(report: HostReport) -> Iterator[HostCheck]:
    devices = [device for device in report.devices if device.kind != "cpu"]
    if not devices:
        found = "none; runs use the CPU"
        yield HostCheck(name="accelerators", level="green", found=found)
    for device in devices:
        used, total = device.memory_used or 0, device.memory_total or 0
        found = f"{device.id} {device.name}, {text.size(total - used)} of {text.size(total)} free"
        if not device.ready:
            remedy = "See what its tool says there; a restart of the machine may help."
            yield HostCheck(name="accelerators", level="yellow", found=found, remedy=remedy)
        elif device.others:
            remedy = f"It is used by {', '.join(device.others)}; runs wait for it by themselves."
            yield HostCheck(name="accelerators", level="yellow", found=found, remedy=remedy)
        else:
            yield HostCheck(name="accelerators", level="green", found=found)
    for problem in report.problems:
        remedy = "Mend the driver there; runs go on without it."
        yield HostCheck(name="accelerators", level="yellow", found=problem, remedy=remedy)


def _python(host: SshHost, report: HostReport, hub: bool) -> Iterator[HostCheck]:
    python = host.record.python
    set_up = f"Make one: luthier host setup {host.name}"
    if not python:
        yield HostCheck(name="python", level="red", found="none to train with yet", remedy=set_up)
        return
    answer = ask_python(host, python, "hub" if hub else "offline")
    if isinstance(answer, str):
        yield HostCheck(name="python", level="red", found=f"{python}: {answer}", remedy=set_up)
        return
    version = ".".join(map(str, answer["version"]))
    if tuple(answer["version"]) < _OLDEST_PYTHON:
        remedy = f"Luthier trains with Python 3.10 or newer. {set_up}"
        yield HostCheck(name="python", level="red", found=f"{python}: {version}", remedy=remedy)
        return
    yield HostCheck(name="python", level="green", found=f"{version} in {python}")
    yield from _packages(answer, set_up)
    yield _torch(answer, report)
    if hub:
        yield _hub(answer, host)
    else:
        yield HostCheck(name="hub", level="green", found="offline, as it was told")


def ask_python(
    host: SshHost, python: str, depth: Literal["quick", "offline", "hub"]
) -> dict[str, Any] | str:
    """What a Python there has; a sentence when it cannot be asked.

    Args:
        host: where.
        python: which.
        depth: versions only; torch and its devices too; or a look at the hub as well.
    """
    names = json.dumps([*needed(), *(name for name in _ESSENTIAL if name not in needed())])
    argv = [python, "-c", _QUESTION, names, depth]
    last = ""
    try:
        with host.link.courier() as channel:
            channel.send("run", argv=argv)
            while True:
                frame, _ = channel.receive()
                if not frame.get("more"):
                    return last or f"it ended with code {frame['code']}"
                line = str(frame["line"])
                if line.startswith("luthier:"):
                    found: dict[str, Any] = json.loads(line.removeprefix("luthier:"))
                    channel.receive()
                    return found
                last = line.strip() or last
    except LuthierError as error:
        return error.message.rstrip(".")


def needed() -> dict[str, str]:
    """The oldest version of each package that training needs."""
    found = {}
    for line in metadata.requires("luthier") or []:
        if match := _REQUIREMENT.match(line):
            found[match[1]] = match[2]
    return found


def _packages(answer: Mapping[str, Any], set_up: str) -> Iterator[HostCheck]:
    wanted = needed()
    missing, old = [], []
    for name, version in answer["packages"].items():
        if version is None:
            missing.append(name)
        elif name in wanted and _release(version) < _release(wanted[name]):
            old.append(f"{name} {version} (needed: {wanted[name]})")
    essential = [name for name in missing if name in _ESSENTIAL]
    if essential or old:
        found = "; ".join([*([f"missing: {', '.join(essential)}"] if essential else []), *old])
        yield HostCheck(name="packages", level="red", found=found, remedy=set_up)
    elif missing:
        remedy = f"Only some tasks need them. {set_up}"
        found = f"missing: {', '.join(missing)}"
        yield HostCheck(name="packages", level="yellow", found=found, remedy=remedy)
    else:
        yield HostCheck(name="packages", level="green", found="all that training needs")


def _torch(answer: Mapping[str, Any], report: HostReport) -> HostCheck:
    torch = answer["torch"]
    if torch is None:
        found = str(answer.get("torch_error", "it cannot be imported"))
        remedy = "Install torch for that machine; its site says how."
        return HostCheck(name="torch", level="red", found=found, remedy=remedy)
    wanted = {kind: sum(each.kind == kind for each in report.devices) for kind in ("cuda", "qaic")}
    blind = [kind for kind, count in wanted.items() if count and not torch[kind]]
    found = f"{torch['version']} sees {torch['cuda']} GPUs, {torch['qaic']} QAIC devices"
    if not blind:
        return HostCheck(name="torch", level="green", found=found)
    kind = blind[0]
    remedy = (
        "Install the torch of that driver's CUDA version (or of ROCm)."
        if kind == "cuda"
        else "Install torch_qaic of the Platform SDK into that Python."
    )
    found += f", but there are {wanted[kind]} of kind {kind}"
    return HostCheck(name="torch", level="yellow", found=found, remedy=remedy)


def _hub(answer: Mapping[str, Any], host: SshHost) -> HostCheck:
    if answer.get("hub") is True:
        return HostCheck(name="hub", level="green", found="reachable")
    if "hub" not in answer:
        return HostCheck(name="hub", level="green", found="offline (HF_HUB_OFFLINE is set there)")
    remedy = (
        "Models and data must be there or here; say so with: "
        f"luthier host add {host.name} {host.record.target} --offline"
    )
    return HostCheck(name="hub", level="yellow", found=str(answer["hub"]), remedy=remedy)


def _release(version: str) -> tuple[int, ...]:
    """The numbers before any suffix: 2.13.0+cpu is (2, 13, 0)."""
    return tuple(int(part) for part in re.findall(r"\d+", re.split(r"[^\d.]", version)[0]))
