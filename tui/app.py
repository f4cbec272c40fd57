"""The app: it holds the state, hears the agent, opens the screens."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from rich.style import Style
from textual import events
from textual.app import App, SystemCommand
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.message import Message as TextualMessage
from textual.screen import Screen

from luthier.agent.paths import Home
from luthier.agent.text import count
from luthier.trainers.errors import LuthierError

from . import clipboard, hangup, settings, themes
from .bindings import bindings, load_profile, normal_keys
from .glyphs import AsciiFilter, choose
from .keys import TABLE
from .link import Away, Connected, Link, News
from .outcomes import Outcomes
from .screens.base import ALL, LuthierScreen
from .settings import InterfaceSettings
from .state import ClientState, Topic
from .typing import KeyHandled, KeysInOrder

if TYPE_CHECKING:
    from rich.console import RenderableType

    from luthier.agent.client import Client

_TOAST_SECONDS = 8.0
_START_SECONDS = 60.0
_KEY_NAMES = {"enter": "enter", "backspace": "backspace", "tab": "tab", "space": "space"}


class NewsArrived(TextualMessage, bubble=False):
    """The link has something new, in order."""

    def __init__(self, news: Sequence[News]) -> None:
        super().__init__()
        self.news = news


class LuthierApp(App[None]):
    """The terminal UI of one home.

    Attributes:
        home: whose agent.
        state: what is known of the agent.
        interface: the person's choices.
        glyphs: the characters to draw with.
        outcomes: how the results of tasks are used.
    """

    CSS_PATH = "styles/app.tcss"
    TITLE = "Luthier"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("app")]
    COMMANDS: ClassVar = {lambda: _provider()}
    MODES: ClassVar = {"home": lambda: _home_screen()}
    DEFAULT_MODE = "home"

    def __init__(self, home: Home, interface: InterfaceSettings | None = None) -> None:
        super().__init__()
        self.home = home
        self.state = ClientState()
        self.outcomes = Outcomes(lambda: self.call_later(self._outcomes_known))
        self.animation_level = "none"
        for theme in themes.OWN:
            self.register_theme(theme)
        self._ascii_filter = AsciiFilter(enabled=False)
        self._filters.append(self._ascii_filter)
        self._keys = KeysInOrder(self, super().on_event, self._paint)
        self._client: Client | None = None
        self._client_lock = threading.Lock()
        # Set by the first news: until then the link may be starting the agent.
        self._heard = threading.Event()
        self._link = Link(home, self._deliver)
        self.interface = interface or settings.load(settings.path_of(home))
        self._use(self.interface)

    # -- choices -------------------------------------------------------------------------------

    def use(self, interface: InterfaceSettings) -> None:
        """Take up other choices, save them, and show everything anew.

        Raises:
            LuthierError: the key profile is wrong, or the file cannot be written; nothing changed.
        """
        self._use(interface)
        settings.save(settings.path_of(self.home), interface)
        if isinstance(self.screen, LuthierScreen):
            self.screen.news(ALL)

    def _use(self, interface: InterfaceSettings) -> None:
        profile = interface.keys_path(self.home)
        keymap = load_profile(profile) if profile else {}
        self.interface = interface
        self.glyphs = choose(interface.glyphs, os.environ)
        self._ascii_filter.enabled = not self.glyphs.unicode
        self.theme = interface.theme
        self.set_keymap(keymap)
        if self.is_running:
            self.refresh(layout=True)
            for screen in self.screen_stack:
                screen.refresh(repaint=True, layout=True)

    # -- keys ----------------------------------------------------------------------------------

    async def on_event(self, event: events.Event) -> None:
        """Let keys have their effect one after the other."""
        if isinstance(event, events.Key) and not event.is_forwarded:
            await self._keys.typed(event)
        else:
            await super().on_event(event)

    async def on_key_handled(self, event: KeyHandled) -> None:
        """A key has had its effect."""
        await self._keys.handled(event)

    def _paint(self) -> None:
        """Show what a key has changed at once; Textual's next frame may be 17 ms away."""
        if not self._exit:
            with self.screen._context():
                self.screen._on_timer_update()

    # -- the agent -----------------------------------------------------------------------------

    def client(self) -> Client:
        """The client that all requests share; it starts no agent, the link does. Thread-safe."""
        from luthier.agent.client import Client

        with self._client_lock:
            if self._client is None:
                self._client = Client(self.home, start=False)
            return self._client

    def client_in_time(self) -> Client:
        """The same once the link knows whether the agent answers; for threads only."""
        self._heard.wait(_START_SECONDS)
        return self.client()

    def start_agent(self) -> None:
        """Start the agent again after it was stopped on purpose."""
        self._link.start_agent()

    action_start_agent = start_agent

    def _deliver(self, news: list[News]) -> None:
        self.post_message(NewsArrived(news))

    def on_news_arrived(self, event: NewsArrived) -> None:
        """Take news into the state, and tell the screen in front."""
        topics: set[Topic] = set()
        self._heard.set()
        for news in event.news:
            match news:
                case Connected():
                    topics |= self.state.connected(news.runs, news.sequence)
                case Away():
                    topics |= self.state.lost(news.t, news.reason, stopped=news.stopped)
                case message:
                    topics |= self.state.apply(message)
        screen = self.front
        # One that is being made shows everything once it is, one that goes away nothing more.
        if topics and screen is not None and screen.is_mounted and self.is_running:
            screen.news(frozenset(topics))

    @property
    def front(self) -> LuthierScreen | None:
        """The screen in front, also while a dialog is over it."""
        for screen in reversed(self.screen_stack):
            if isinstance(screen, LuthierScreen):
                return screen
        return None

    # -- the screens ---------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Begin to listen once the first screen is there, so that it paints first."""
        self.call_after_refresh(self._link.start)
        if not self.is_headless:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGHUP, signal.SIGTERM):
                loop.add_signal_handler(number, self.exit)
            hangup.watch(lambda: loop.call_soon_threadsafe(self.exit))

    def on_unmount(self) -> None:
        """Hear nothing more."""
        self._link.close()

    def open_runs(self) -> None:
        """Go to the list of runs."""
        while len(self.screen_stack) > 1:
            self.pop_screen()

    def open_run(self, run_id: str) -> None:
        """Open a run."""
        self._open("run", "RunScreen", run_id)

    def open_new_run(
        self,
        values: dict[str, Any] | None = None,
        task: str | None = None,
        from_run: str | None = None,
    ) -> None:
        """Open the form of a new run: with these values, for this task, or like that run."""
        self._open("new_run", "NewRunScreen", values, task, from_run, fresh=True)

    def open_compare(self, run_ids: Iterable[str]) -> None:
        """Compare runs."""
        self._open("compare", "CompareScreen", list(run_ids), fresh=True)

    def open_chat(self, run_ids: Iterable[str]) -> None:
        """Talk to the results of runs, or try the result of one that predicts."""
        runs = list(run_ids)
        first = self.state.runs.get(runs[0]) if len(runs) == 1 else None
        if first is not None and self.outcomes.is_tried_for_sure(first.task):
            self._open("try_it", "TryScreen", first.id, first.task, fresh=True)
        else:
            self._open("chat", "ChatScreen", runs, fresh=True)

    def _outcomes_known(self) -> None:
        if self.is_running:
            self.screen.refresh_bindings()

    def open_machines(self) -> None:
        """Open the machines and the queue."""
        self._open("machines", "MachinesScreen")

    def open_library(self) -> None:
        """Open the presets and saved setups."""
        self._open("library", "LibraryScreen")

    def open_learn(self, topic: str | None = None) -> None:
        """Open the guide, at a topic when one is named."""
        self._open("learn", "LearnScreen", topic, fresh=topic is not None)

    def open_settings(self) -> None:
        """Open the settings."""
        self._open("settings", "SettingsScreen")

    def open_help(self) -> None:
        """Show the keys of the screen in front."""
        from .screens.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen())

    def _open(self, module: str, name: str, *arguments: Any, fresh: bool = False) -> None:
        """Open a screen. One that is open already comes to the front, unless it must be fresh."""
        key = f"{name}{arguments}"
        held = [getattr(screen, "opened_as", "") for screen in self.screen_stack]
        if key in held and (not fresh or held[-1] == key):
            while getattr(self.screen_stack[-1], "opened_as", "") != key:
                self.pop_screen()
            return
        # Imported when first opened, so that the list of runs is on the screen early.
        screen = getattr(import_module(f".screens.{module}", __package__), name)(*arguments)
        screen.opened_as = key
        self.push_screen(screen)

    # What keys name as app.open_runs and so on.
    action_open_runs = open_runs
    action_open_machines = open_machines
    action_open_library = open_library
    action_open_learn = open_learn
    action_open_settings = open_settings
    action_open_help = open_help

    def action_jump(self) -> None:
        """Show a letter at every place that can be gone to."""
        from .jump import JumpOverlay

        if not isinstance(self.screen, JumpOverlay) and (targets := JumpOverlay.targets(self)):
            self.push_screen(JumpOverlay(targets))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The agent can be started only while it is away."""
        return action != "start_agent" or self.state.connection == "away"

    def exit(
        self, result: None = None, return_code: int = 0, message: RenderableType | None = None
    ) -> None:
        """Close Luthier; what is worked on in any screen is kept."""
        for screen in self.screen_stack:
            if isinstance(screen, LuthierScreen):
                screen.keep()
        super().exit(result, return_code, message)

    def pop_screen(self) -> AwaitComplete:
        """Go back to the screen before; what is worked on in this one is kept."""
        if isinstance(self.screen, LuthierScreen):
            self.screen.keep()
        return super().pop_screen()

    def leave_screen(self) -> None:
        """Go back to the screen before; from the first one, close."""
        if len(self.screen_stack) > 1:
            self.pop_screen()
        else:
            self.exit()

    def action_help_quit(self) -> None:
        """Ctrl+C, which people press to leave."""
        leave = self.keys_of("screen.leave")
        self.notify(f"{leave} leaves a screen, {self.keys_of('app.quit')} closes; runs go on.")

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """None of Textual's own: the palette has Luthier's."""
        return ()

    # -- saying and copying --------------------------------------------------------------------

    def show_error(self, error: LuthierError) -> None:
        """Show an error's sentence for a while."""
        self.notify(str(error), severity="error", timeout=_TOAST_SECONDS, markup=False)

    def copy(self, text: str, what: str) -> None:
        """Put text on the clipboard and say where it went; ``what`` names it."""
        self.copy_to_clipboard(text)
        path = self.home.path / "clipboard.txt"

        def work() -> None:
            try:
                said, severe = clipboard.copy(text, what, os.environ, path), False
            except LuthierError as error:
                said, severe = str(error), True
            self.call_later(
                self.notify, said, severity="error" if severe else "information", markup=False
            )

        threading.Thread(target=work, daemon=True, name="copy").start()

    def look(self, variable: str) -> Style:
        """The colour of a theme variable, such as ``text-error``, for Rich texts."""
        return themes.rich_style(self.theme_variables.get(variable, ""))

    def key_name(self, key: str) -> str:
        """A key as people write it: ``?``, ``^p``, ``enter``."""
        return _KEY_NAMES.get(key) or self.get_key_display(Binding(key, ""))

    def keys_of(self, binding_id: str) -> str:
        """The first key of an id as people write it, as the key profile has it."""
        return self.key_name(self.all_keys_of(binding_id)[0])

    def all_keys_of(self, binding_id: str) -> list[str]:
        """Every key of an id in Textual's names, as the key profile has them."""
        section, _, name = binding_id.partition(".")
        return normal_keys(self._keymap.get(binding_id) or TABLE[section][name].keys)


def _provider() -> Any:
    from .commands import LuthierCommands

    return LuthierCommands


def _home_screen() -> Screen[Any]:
    from .screens.runs import RunsScreen

    return RunsScreen()


def main(home: Home) -> None:
    """Open the terminal UI, and come back when the person leaves it.

    Raises:
        LuthierError: the interface settings or the key profile are wrong.
    """
    app = LuthierApp(home)
    app.run(mouse=app.interface.mouse)
    active = sum(not run.state.finished for run in app.state.runs.values())
    if active:
        sys.stdout.write(f"Luthier is closed; {count(active, 'run')} {_go(active)} on.")
        sys.stdout.write(" Come back with: luthier\n")


def _go(amount: int) -> str:
    return "goes" if amount == 1 else "go"
