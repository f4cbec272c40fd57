"""A host that is reached over SSH."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from luthier.presets.memory import Price
from luthier.trainers.run_folder import AttemptFolder, RunFolder
from luthier.trainers.spec import RunSpec
from luthier.trainers.spec.file import dump_spec, load_spec

from ..hardware.host import cpu_device_of
from ..launching import ExitReport, Observation, SupervisorIdentity, request_stop
from ..models import Device, HardwareSample, HostReport
from ..runs.plan import launch_plan
from ..settings import Settings
from .attendance import Attendance
from .channel import Channel, greet
from .connect import Connection, connect
from .devices import parse_accelerators
from .errors import DecisionNeededError, HostError, HostUnreachableError
from .far.wire import Frame
from .host import Host, Tell
from .host_keys import KnownHosts
from .link import Link, Session
from .mirror import Mirror, has_place, place_of, read_place, write_place
from .record import HostFile, HostRecord
from .secrets import Secrets
from .shipping import Progress, Shipper, moved_spec
from .target import parse_target
from .token import hub_token
from .transfer import fetch_file

FETCHED = ("artifacts/*", "*.json", "spec.yaml")
NOT_FETCHED = ("artifacts/checkpoints/*", "run.json", "attempt-*", "spec.yaml", "*.new", "*.part")
_OLD_SECONDS = 5.0
# Nobody shall wait for a link that has just died; what it does not carry is said again later.
_PROMPT_SECONDS = 2.0


class SshHost(Host):
    """Runs are processes of another machine; their folders are mirrored here.

    Args:
        record: what is known of it.
        files: where that, host keys and hashes lie.
        settings: the agent's.
        changed: called whenever the link comes or goes.
    """

    def __init__(
        self, record: HostRecord, files: HostFile, settings: Settings, changed: Any = lambda: None
    ) -> None:
        self.record, self.name = record, record.name
        self.secrets = Secrets()
        self.accepted: set[str] = set()
        self._files = files
        self._settings = settings
        self._mirrors: dict[str, Mirror] = {}
        self._lock = threading.Lock()
        self.hashes = files.hashes
        self._busy: tuple[float, float] | None = None
        self.link = Link(
            record.name,
            self._dial,
            self._greet,
            self._courier,
            settings.hardware_interval,
            changed,
        )
        self._attendance = Attendance(record.name, record.target, self.link.pose)

    # -- the link ------------------------------------------------------------------------------

    def _dial(self) -> tuple[Connection, Channel]:
        known = KnownHosts(self._files.known_hosts, self.accepted)
        with self._attendance.login(self.secrets) as answer:
            connection = connect(parse_target(self.record.target), known, self.secrets, answer)
        try:
            return connection, self._courier(connection)
        except BaseException:
            connection.close()
            raise

    def _courier(self, connection: Connection) -> Channel:
        return Channel(connection, list(filter(None, (self.record.helper, self.record.python))))

    def _greet(self, channel: Channel) -> Mapping[str, Any]:
        hello = greet(channel, self.record.folder)
        if hello["python"] != self.record.helper:
            # Tried first from now on, since finding one takes time.
            self.record = self.record.model_copy(update={"helper": hello["python"]})
            self._files.save(self.record)
        return hello

    def reach(
        self,
        accept: Sequence[str] = (),
        secrets: Mapping[Any, Mapping[str, str]] | None = None,
        agent_socket: str | None = None,
    ) -> None:
        """Connect now, with what a person has said.

        Args:
            accept: fingerprints of host keys to trust.
            secrets: by kind, then by what they are for.
            agent_socket: the ssh-agent of that person's shell.

        Raises:
            DecisionNeededError: more must be said first.
            HostUnreachableError, HostError: it does not work, with the reason.
        """
        self.accepted.update(accept)
        self.secrets.tell(secrets or {}, agent_socket)
        self._attendance.come()
        self.link.ready()

    @property
    def offline(self) -> bool:
        """Whether nothing that runs there looks for the hub."""
        return self.record.offline or self._settings.offline

    @property
    def unreachable_since(self) -> float | None:
        """See Host."""
        return self.link.down_since

    @property
    def needs_person(self) -> bool:
        """See Host."""
        return isinstance(self.link.error, DecisionNeededError)

    @property
    def connected(self) -> bool:
        """See Host."""
        return self.link.connected

    @property
    def trouble(self) -> str:
        """See Host."""
        return str(self.link.error) if self.link.error else ""

    def close(self) -> None:
        """See Host."""
        self.link.close()

    # -- hardware ------------------------------------------------------------------------------

    @property
    def price(self) -> Price | None:
        """See Host."""
        hour = self.record.price_per_hour
        return None if hour is None else Price(hour, self.record.currency)

    def devices(self) -> Sequence[Device]:
        """See Host."""
        told = self._told()
        found, _ = parse_accelerators(told["accelerators"])
        return [self._cpu(told), *found]

    def report(self, leases: Mapping[str, Sequence[str]]) -> HostReport:
        """See Host."""
        told = self.link.ask("report", folder=self._root(self.link.ready()))
        found, problems = parse_accelerators(told["accelerators"])
        cpu = self._cpu(told)
        return HostReport(
            host=self.name,
            t=told["t"],
            system=told["system"],
            python=told["python"],
            cpu_name=told["cpu_name"],
            cpu_cores=told["cores"],
            cpu_percent=cpu.utilisation or 0.0,
            load=told["load"],
            memory_total=told["memory_total"],
            memory_available=told["memory_available"],
            disk_total=told["disk_total"],
            disk_free=told["disk_free"],
            devices=[
                device.model_copy(update={"runs": list(leases.get(device.id, ()))})
                for device in (cpu, *found)
            ],
            problems=problems,
        )

    def sample(self) -> HardwareSample | None:
        """See Host."""
        heard = self.link.hardware
        if heard is None or time.monotonic() - heard[0] > _OLD_SECONDS:
            return None
        told = heard[1]
        found, _ = parse_accelerators(told["accelerators"])
        cpu = self._cpu(told)
        return HardwareSample(
            t=told["t"],
            cpu_percent=cpu.utilisation or 0.0,
            memory_used=told["memory_total"] - told["memory_available"],
            devices=[cpu, *found],
        )

    def _told(self) -> Frame:
        """The newest hardware figures, asked for when they are old."""
        heard = self.link.hardware
        if heard is not None and time.monotonic() - heard[0] < _OLD_SECONDS:
            return heard[1]
        session = self.link.ready(wake=False)
        return session.channel.ask("report", folder=self._root(session))

    def _cpu(self, told: Frame) -> Device:
        """The processor, and how busy it was since the figures before."""
        now = (float(told["busy"]), float(told["total"]))
        with self._lock:
            before, self._busy = self._busy, now
        passed = now[1] - before[1] if before else 0.0
        percent = 100 * (now[0] - before[0]) / passed if before and passed > 0 else 0.0
        return cpu_device_of(
            name=str(told.get("cpu_name", "")),
            total=told["memory_total"],
            available=told["memory_available"],
            percent=min(100.0, max(0.0, percent)),
            slots=self.record.cpu_slots,
        )

    # -- runs ----------------------------------------------------------------------------------

    def start(self, folder: RunFolder, number: int, devices: Sequence[str], tell: Tell) -> None:
        """See Host."""
        tell("preparing the host")
        session = self.link.ready()
        attempt, there = folder.attempt(number), f"{self._root(session)}/runs/{folder.run_id}"
        spec = load_spec(folder.spec)
        environment = self._bring(spec, attempt, there, tell)
        plan = launch_plan(
            self._settings,
            RunFolder(Path(there)),
            number,
            spec.launch,
            devices,
            cores=session.hello["cores"],
            command=self._command(),
            offline=self.record.offline,
        )
        token = hub_token() if spec.launch.send_hub_token else None
        tell("starting")
        if attempt.stop_request.exists():
            # It then ends at once, and is known to have.
            self._ask("stop", folder=f"{there}/{attempt.path.name}", now=False)
        self._ask(
            "start",
            folder=f"{there}/{attempt.path.name}",
            launch={**asdict(plan), "environment": {**plan.environment, **environment}},
            supervisor=f"{environment['PYTHONPATH']}/supervisor.py",
            secrets={"HF_TOKEN": token} if token else {},
            seconds=180.0,
        )

    def _bring(
        self, spec: RunSpec, attempt: AttemptFolder, there: str, tell: Tell
    ) -> dict[str, str]:
        """Bring everything there that an attempt needs; the environment that makes it be found."""
        shipper = self.shipper(self.link.ready())
        code = shipper.ship_bundle(tell)
        paths = shipper.ship_files(spec, tell)
        offline = self.offline or spec.launch.offline
        caches = shipper.ship_cached(spec, tell) if offline else {}
        text = dump_spec(moved_spec(spec, paths))
        self._ask("write", text.encode(), path=f"{there}/spec.yaml")
        write_place(attempt, {"host": self.name, "folder": there, "bundle": code, "paths": paths})
        return {**caches, "PYTHONPATH": code}

    def shipper(self, session: Session) -> Shipper:
        """Brings things there."""
        return Shipper(self.link, self._root(session), self.hashes)

    def path_there(self, text: str) -> str:
        """What a file, folder or model of the hub is called there; brought there when missing.

        Raises:
            HostUnreachableError, HostError: it cannot be brought there.
        """
        path = Path(text)
        if not path.is_absolute() or not path.exists():
            if self.offline:
                self.shipper(self.link.ready()).ship_cached(text, lambda doing: None)
            return text
        for run in (RunFolder(parent) for parent in path.parents):
            if run.record.exists() and any(has_place(attempt) for attempt in run.attempts()):
                there = f"{place_of(run)}/{path.relative_to(run.path).as_posix()}"
                if self._ask("sizes", paths=[there])["sizes"] != [None]:
                    return there
        return self.shipper(self.link.ready()).ship(path, lambda doing: None)

    def _command(self) -> list[str]:
        own = self.record.worker_command
        return own or [self.training_python(), "-m", "luthier.trainers.launch"]

    def training_python(self) -> str:
        """The Python that trains there. Raises HostError before there is one."""
        if not self.record.python:
            raise HostError(
                f"{self.name} has no Python to train with yet.",
                hint=f"Set it up with: luthier host setup {self.name}",
            )
        return self.record.python

    def observe(self, attempt: AttemptFolder) -> Observation:
        """See Host."""
        report = ExitReport.read(attempt)
        if report is not None:
            identity = SupervisorIdentity.read(attempt)
            return Observation("ended", identity, report, None)
        mirror = self._mirror(attempt)
        return mirror.observation() if mirror else Observation("not_started")

    def _mirror(self, attempt: AttemptFolder) -> Mirror | None:
        """The attempt's mirror, made when there is none; None before the attempt has a place."""
        key = _key(attempt)
        with self._lock:
            found = self._mirrors.get(key)
        if found is None:
            place = read_place(attempt)
            if place is None:
                return None
            found = Mirror(attempt, key, f"{place['folder']}/{attempt.path.name}")
            with self._lock:
                self._mirrors[key] = found
            self.link.follow(key, found)
        return found

    def forget(self, attempt: AttemptFolder) -> None:
        """See Host."""
        with self._lock:
            self._mirrors.pop(_key(attempt), None)
        self.link.unfollow(_key(attempt))

    def stop(self, attempt: AttemptFolder, now: bool) -> None:
        """See Host."""
        # The request here is what is told again whenever the link comes back.
        request_stop(attempt, now)
        place = read_place(attempt)
        self.link.wake()
        if place is not None and self.link.connected:
            with contextlib.suppress(HostUnreachableError):
                there = f"{place['folder']}/{attempt.path.name}"
                self._ask("stop", folder=there, now=now, seconds=_PROMPT_SECONDS)

    def end_strays(self, run_id: str, number: int) -> None:
        """See Host."""
        self._ask("strays", marker=f"{run_id}/{number}")

    def collect(self, folder: RunFolder, tell: Tell) -> None:
        """See Host."""
        self.fetch(folder, FETCHED, NOT_FETCHED, tell)

    def fetch(
        self, folder: RunFolder, patterns: Sequence[str], but: Sequence[str], tell: Tell
    ) -> list[str]:
        """Bring files of a run that fit a pattern here; what is here already is not moved.

        Returns:
            their paths relative to the run folder.

        Raises:
            HostUnreachableError: the link was lost; what has come is kept, call it again.
            HostError: the run has no folder there.
        """
        there = place_of(folder)
        files = self._ask("listing", folder=there, patterns=list(patterns), but=list(but))
        found = files["files"]
        progress = Progress("fetching", sum(size for _, size, _ in found), tell)
        for name, size, modified in found:
            target = folder.path / name
            if not target.resolve().is_relative_to(folder.path.resolve()):
                raise HostError(f"{self.name}: {name!r} lies outside of the run folder.")
            try:
                fetch_file(self.link, f"{there}/{name}", target, size, modified, progress.moved)
            except OSError as error:
                raise HostError(f"{target}: {error.strerror or error}.") from error
        return [name for name, _, _ in found]

    def remove(self, folder: RunFolder) -> None:
        """See Host."""
        if any(has_place(attempt) for attempt in folder.attempts()):
            self._ask("remove", paths=[place_of(folder)], seconds=600.0)

    def _root(self, session: Session) -> str:
        return str(session.hello["folder"])

    def _ask(self, op: str, body: bytes = b"", *, seconds: float = 60.0, **fields: Any) -> Frame:
        return self.link.ask(op, body, seconds=seconds, **fields)


def _key(attempt: AttemptFolder) -> str:
    return f"{attempt.path.parent.name}/{attempt.number}"
