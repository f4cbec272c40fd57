"""What can be done with hosts on the machines screen: add, look, check, set up, remove, shell."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

from textual.widget import Widget
from textual.widgets import Input, Static

from luthier.agent.client import Client
from luthier.agent.hosts.ssh_config import ssh_command
from luthier.agent.hosts.target import parse_target
from luthier.agent.models import HostCheck, HostConnection, HostInfo, HostNeed
from luthier.trainers.errors import LuthierError

from .base import LuthierScreen
from .confirm import ConfirmScreen
from .dialog import Choice, ChooseDialog, Dialog, LineDialog

LOCAL = "local"
_VENV = "venv"
_QUESTIONS = {
    "python": ("Which Python?", "Such as /opt/train/bin/python"),
    "wheels": ("Which folder of wheels?", "A folder of this machine, such as ~/wheels"),
}


class SecretDialog(LineDialog):
    """Type what a host needs; it is not kept, and shown only if the server says that it may be."""

    def __init__(self, need: HostNeed) -> None:
        title = need.prompt.strip().removesuffix(":") or need.kind.capitalize()
        super().__init__(title, about=need.message.removesuffix(need.prompt).rstrip())
        self._shown = need.shown

    def body(self) -> Iterable[Widget]:
        """The line, hidden as a rule."""
        yield Static(self._about, classes="muted", markup=False)
        yield Input(password=not self._shown, compact=True)
        yield Static("", id="complaint", classes="error", markup=False)


class TextDialog(Dialog[str]):
    """Something to read; escape closes it."""

    def __init__(self, title: str, text: str) -> None:
        super().__init__(title)
        self._text = text

    def body(self) -> Iterable[Widget]:
        """The text."""
        yield Static(self._text, markup=False)


class HostActions(LuthierScreen):
    """The host whose figures are shown, and the keys for hosts."""

    host = LOCAL

    def host_changed(self) -> None:
        """Another host is shown from now on."""

    def action_next_host(self) -> None:
        """Show the next host."""

        def chosen(hosts: list[HostInfo]) -> None:
            names = [host.name for host in hosts]
            place = names.index(self.host) + 1 if self.host in names else 0
            self._show_host(names[place % len(names)])
            if len(names) == 1:
                self.notify("There is no other machine yet; add one with a.", markup=False)

        self.ask(lambda client: client.hosts.all(), chosen, doing="listing the machines")

    def _show_host(self, name: str) -> None:
        self.host = name
        self.host_changed()

    def action_add_host(self) -> None:
        """Ask for a name and an address, and connect."""

        def answered(line: str | None) -> None:
            if line:
                name, target = line.split()
                self._then(
                    lambda client: client.hosts.add(name, target),
                    lambda host: self._reach(name, lambda: self._added(name)),
                    "adding the machine",
                )

        about = "A name and an address, such as: box user@address:port"
        self.app.push_screen(LineDialog("Add a machine", about=about, complaint=_two), answered)

    def _added(self, name: str) -> None:
        self._show_host(name)
        self.notify(f"{name} can be reached. Give it a Python that trains with s.", markup=False)

    def action_check_host(self) -> None:
        """Check everything that a run on the host needs."""
        name = self._other()
        if name is None:
            return

        def found(checks: list[HostCheck]) -> None:
            self.app.push_screen(TextDialog(f"Check of {name}", check_text(checks)))

        def reached() -> None:
            self._then(lambda client: client.hosts.check(name), found, f"checking {name}")

        self._reach(name, reached)

    def action_set_up_host(self) -> None:
        """Give the host a Python that trains."""
        name = self._other()
        if name is None:
            return
        choices = [
            Choice(_VENV, "A new environment", "Downloads what training needs; takes minutes."),
            Choice("python", "A Python that is there", "Name one that has the packages."),
            Choice("wheels", "A new environment from wheels here", "Nothing is downloaded there."),
        ]

        def chosen(choice: str | None) -> None:
            if choice == _VENV:
                self._set_up(name)
            elif choice:
                title, about = _QUESTIONS[choice]
                self.app.push_screen(
                    LineDialog(title, about=about),
                    lambda path: self._set_up(name, **{choice: path}) if path else None,
                )

        self.app.push_screen(ChooseDialog(f"Set up {name}", choices), chosen)

    def _set_up(self, name: str, python: str | None = None, wheels: str | None = None) -> None:
        folder = str(Path(wheels).expanduser().absolute()) if wheels else None

        def work(client: Client) -> str:
            line = None
            for line in client.hosts.set_up(name, python=python, wheels=folder):
                if line.error:
                    raise LuthierError(line.error)
            return line.text if line else ""

        def ended(text: str) -> None:
            self.notify(text, markup=False)

        self._reach(name, lambda: self._then(work, ended, f"setting up {name}"))

    def action_remove_host(self) -> None:
        """Forget the host, and delete from it what is ours."""
        name = self._other()
        if name is None:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._then(
                    lambda client: client.hosts.remove(name),
                    lambda nothing: self._show_host(LOCAL),
                    f"removing {name}",
                )

        detail = "What Luthier has put there is deleted; runs and results here stay."
        screen = ConfirmScreen(f"Remove {name}?", detail, yes="Remove", dangerous=True)
        self.app.push_screen(screen, answered)

    def action_host_shell(self) -> None:
        """Open a shell on the host with ssh."""
        name = self._other()
        if name is None:
            return

        def found(host: HostInfo) -> None:
            own = self.luthier.home.path / "hosts" / "known_hosts"
            known = [own, Path.home() / ".ssh" / "known_hosts"]
            with self.app.suspend():
                subprocess.call(ssh_command(parse_target(host.target), known))
            self.app.refresh()

        self._then(lambda client: client.hosts.get(name), found, f"opening a shell on {name}")

    def _other(self) -> str | None:
        if self.host != LOCAL:
            return self.host
        self.notify("This is your own machine; h shows the others, a adds one.", markup=False)
        return None

    def _reach(
        self,
        name: str,
        then: Callable[[], None],
        accept: tuple[str, ...] = (),
        secrets: dict[str, dict[str, str]] | None = None,
    ) -> None:
        """Connect to the host, asking what is needed, and go on."""

        def answered(connection: HostConnection) -> None:
            if connection.need is None:
                then()
            else:
                self._ask_need(connection.need, lambda accept, told: again(accept, told))

        def again(more: tuple[str, ...], told: dict[str, dict[str, str]]) -> None:
            self._reach(name, then, (*accept, *more), told)

        def work(client: Client) -> HostConnection:
            return client.hosts.connect(
                name,
                accept=accept,
                secrets=secrets,  # type: ignore[arg-type]
                agent_socket=os.environ.get("SSH_AUTH_SOCK"),
            )

        self._then(work, answered, f"connecting to {name}")

    def _ask_need(
        self,
        need: HostNeed,
        told: Callable[[tuple[str, ...], dict[str, dict[str, str]]], None],
    ) -> None:
        if need.kind == "host_key":

            def decided(yes: bool | None) -> None:
                if yes:
                    told((need.fingerprint,), {})

            question = f"Trust {need.what}?"
            screen = ConfirmScreen(question, need.message, yes="Trust", dangerous=True)
            self.app.push_screen(screen, decided)
            return

        def typed(secret: str | None) -> None:
            if secret:
                told((), {need.kind: {need.what: secret}})

        self.app.push_screen(SecretDialog(need), typed)

    def _then(
        self, work: Callable[[Client], object], then: Callable[..., None], doing: str
    ) -> None:
        self.ask(work, then, doing=doing)


def check_text(checks: Iterable[HostCheck]) -> str:
    """A preflight as lines, what would mend it below each that is not well."""
    words = {"green": "ok  ", "yellow": "note", "red": "FAIL"}
    lines = []
    for check in checks:
        lines.append(f"{words[check.level]}  {check.name}: {check.found}")
        if check.remedy:
            lines.append(f"      {check.remedy}")
    return "\n".join(lines)


def _two(text: str) -> str:
    return "" if len(text.split()) == 2 else "Write a name and an address."
