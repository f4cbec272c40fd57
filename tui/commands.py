"""The command palette: what can be done here, every screen, every run, every theme."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from luthier.agent.text import one_line
from luthier.trainers.errors import LuthierError

from . import themes
from .bindings import key_of
from .keys import TABLE

if TYPE_CHECKING:
    from .app import LuthierApp

_NAME = 60
# Closing the palette does the one, and opened it the other.
_USELESS = ("back", "app.command_palette")


class Command(NamedTuple):
    """One line of the palette; ``first``: shown before anything is typed."""

    name: str
    help: str
    run: Callable[[], object]
    first: bool = True


class LuthierCommands(Provider):
    """Commands for the screen below the palette."""

    @property
    def _luthier(self) -> LuthierApp:
        return cast("LuthierApp", self.app)

    async def discover(self) -> Hits:
        """What is offered before anything is typed."""
        for command in self._commands():
            if command.first:
                yield DiscoveryHit(command.name, command.run, help=command.help)

    async def search(self, query: str) -> Hits:
        """What matches the typed letters, the best first."""
        matcher = self.matcher(query)
        for command in self._commands():
            if (score := matcher.match(command.name)) > 0:
                yield Hit(score, matcher.highlight(command.name), command.run, help=command.help)

    def _commands(self) -> Iterator[Command]:
        yield from self._of_the_keys()
        yield from self._of_the_app()
        yield from self._of_the_runs()
        for name in themes.names():
            use = partial(self._use_theme, name)
            yield Command(f"Theme {name}", "Change the colours.", use, first=False)

    def _of_the_keys(self) -> Iterator[Command]:
        seen = set()
        labels = self._luthier.front.labels if self._luthier.front else {}
        for key, (node, binding, enabled, _) in self.screen.active_bindings.items():
            entry = key_of(binding.id)
            section = (binding.id or "").split(".")[0]
            if not entry or not enabled or binding.id in seen or section in ("list", "scroll"):
                continue
            if binding.action not in _USELESS:
                seen.add(binding.id)
                label = labels.get(binding.id or "", entry.label)
                name = f"{label.capitalize()} ({self._luthier.key_name(key)})"
                run = partial(self._luthier.run_action, binding.action, node)
                yield Command(name, entry.help, run)

    def _of_the_app(self) -> Iterator[Command]:
        app = self._luthier
        reached = {binding.id for _, binding, _, _ in self.screen.active_bindings.values()}
        for name, entry in TABLE["app"].items():
            if f"app.{name}" not in reached and entry.action not in _USELESS:
                run = partial(app.run_action, entry.action)
                yield Command(entry.label.capitalize(), entry.help, run)
        yield Command("New run", "Set up a new run.", app.open_new_run, first=False)
        if app.state.connection == "away":
            yield Command("Start the agent", "Start it again now.", app.start_agent)

    def _of_the_runs(self) -> Iterator[Command]:
        app = self._luthier
        for run in app.state.runs.values():
            name = one_line(run.name or run.id, _NAME)
            about = f"{run.state.value}, {run.task}, {run.id}"
            yield Command(f"Open {name}", about, partial(app.open_run, run.id), first=False)
            if run.artifact:
                chat = partial(app.open_chat, [run.id])
                verb = "Try" if app.outcomes.is_tried(run.task) else "Chat with"
                yield Command(f"{verb} {name}", about, chat, first=False)

    def _use_theme(self, name: str) -> None:
        app = self._luthier
        try:
            app.use(app.interface.model_copy(update={"theme": name}))
        except LuthierError as error:
            app.show_error(error)
