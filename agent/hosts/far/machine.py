"""This host's hardware and software, told raw: the agent reads the tools' texts."""

from __future__ import annotations

import os
import platform
import pwd
import shutil
import subprocess
import sys
import time
from typing import Any

from ...supervisor import boot_id
from .wire import Frame

_TOOL_SECONDS = 15.0
_GPU = (
    "index,name,memory.total,memory.used,utilization.gpu,temperature.gpu,power.draw,"
    "enforced.power.limit,uuid,driver_version,compute_cap"
)
# PROC_PID_INIT_INO of the kernel: the number of the namespace that holds all others.
_FIRST_PID_NAMESPACE = 0xEFFFFFFC
_QAIC = "/opt/qti-aic/tools/qaic-util"


def hello(request: Frame) -> Frame:
    """Who and where this is. ``folder`` may begin with ~."""
    folder = os.path.abspath(os.path.expanduser(request["folder"]))
    os.makedirs(folder, mode=0o700, exist_ok=True)
    account = pwd.getpwuid(os.getuid())
    return {
        "folder": folder,
        "home": os.path.expanduser("~"),
        "user": account.pw_name,
        "shell": os.path.basename(account.pw_shell),
        "hostname": platform.node(),
        "boot_id": boot_id(),
        "python": sys.executable,
        "python_version": platform.python_version(),
        "pid": os.getpid(),
        "time": time.time(),
        "cores": len(os.sched_getaffinity(0)),
        "offline": os.environ.get("HF_HUB_OFFLINE", ""),
    }


def report(request: Frame) -> Frame:
    """Everything that changes: processor, memory, disk, accelerators."""
    disk = shutil.disk_usage(request["folder"])
    return dict(
        sample(request),
        system=_system(),
        machine=platform.machine(),
        load=os.getloadavg()[0],
        disk_total=disk.total,
        disk_free=disk.free,
        cpu_name=_cpu_name(),
        cores=len(os.sched_getaffinity(0)),
        python=platform.python_version(),
    )


def sample(request: Frame) -> Frame:
    """What charts need. ``busy`` and ``total`` are seconds of all processors since the boot."""
    memory = _memory()
    busy, total = _processor_seconds()
    found = {"t": time.time(), "busy": busy, "total": total}
    found.update(memory_total=memory["MemTotal"], memory_available=memory["MemAvailable"])
    found["accelerators"] = accelerators()
    return found


def accelerators() -> Frame:
    """What the vendors' tools print; a tool that is not there is left out."""
    found = {}
    nvidia = shutil.which("nvidia-smi")
    if nvidia:
        form = "--format=csv,noheader,nounits"
        found["nvidia"] = _run([nvidia, "--query-gpu=" + _GPU, form])
        apps = _run([nvidia, "--query-compute-apps=gpu_uuid,pid,used_memory", form])
        found["nvidia_users"] = _with_users(apps["said"])
    qaic = _QAIC if os.access(_QAIC, os.X_OK) else shutil.which("qaic-util")
    if qaic:
        found["qaic"] = _run([qaic, "-q"])
    rocm = shutil.which("rocm-smi") or _executable("/opt/rocm/bin/rocm-smi")
    if rocm:
        shown = ["--showproductname", "--showmeminfo", "vram", "--showuse", "--showtemp"]
        found["rocm"] = _run([rocm, *shown, "--showpower", "--json"])
    return found


def _executable(path: str) -> Any:
    return path if os.access(path, os.X_OK) else None


def _run(command: Any) -> Frame:
    """What a tool prints; it may hang in a broken driver."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TOOL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"code": None, "said": "", "error": "it does not answer"}
    except OSError as error:
        return {"code": None, "said": "", "error": str(error)}
    said = done.stdout.decode(errors="replace")
    error_text = done.stderr.decode(errors="replace").strip()
    return {"code": done.returncode, "said": said, "error": error_text or said.strip()[-300:]}


def _with_users(text: str) -> Any:
    """The processes on GPUs: [GPU, pid, MiB, user, whether it is one of our own]."""
    found = []
    for line in text.splitlines():
        fields = [part.strip() for part in line.split(",")]
        if len(fields) != 3 or not fields[1].isdigit():
            continue
        user = process_user(int(fields[1]))
        if user is not None:
            found.append([fields[0], int(fields[1]), fields[2], *user])
    return found


def process_user(pid: int) -> Any:
    """[The name of a process's user, whether it is our own]; None when nobody can tell."""
    try:
        uid = os.stat(f"/proc/{pid}").st_uid
    except OSError:
        # Where all processes have their numbers, only a process of somebody else can be hidden.
        return ["another user", False] if _first_pid_namespace() else None
    try:
        return [pwd.getpwuid(uid).pw_name, uid == os.getuid()]
    except KeyError:
        return [str(uid), uid == os.getuid()]


def _first_pid_namespace() -> bool:
    try:
        return os.stat("/proc/self/ns/pid").st_ino == _FIRST_PID_NAMESPACE
    except OSError:
        return False


def _memory() -> Any:
    found = {"MemTotal": 0, "MemAvailable": 0}
    with open("/proc/meminfo", encoding="ascii") as file:
        for line in file:
            name, _, rest = line.partition(":")
            if name in found:
                found[name] = int(rest.split()[0]) * 1024
    return found


def _processor_seconds() -> Any:
    with open("/proc/stat", encoding="ascii") as file:
        ticks = [int(field) for field in file.readline().split()[1:9]]
    tick = os.sysconf("SC_CLK_TCK")
    idle = ticks[3] + ticks[4]
    return (sum(ticks) - idle) / tick, sum(ticks) / tick


def _cpu_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                name, _, value = line.partition(":")
                if name.strip() == "model name" and value.strip():
                    return value.strip()
    except OSError:
        pass
    return platform.machine()


def _system() -> str:
    kernel = platform.system() + " " + platform.release()
    try:
        with open("/etc/os-release", encoding="utf-8") as file:
            for line in file:
                if line.startswith("PRETTY_NAME="):
                    return line.partition("=")[2].strip().strip('"') + " (" + kernel + ")"
    except OSError:
        pass
    return kernel
