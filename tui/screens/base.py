"""What every screen has: header, banner, footer, requests that never block, and topics."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.reactive import Reactive
from textual.screen import Screen
from textual.widget import Widget

from luthier.trainers.errors import LuthierError

from ..asking import Wait
from ..bindings import bindings
from ..exact import ExactCompositor
from ..widgets.banner import Banner
from ..widgets.footer import KeyLine
from ..widgets.header import Header

if TYPE_CHECKING:
    from luthier.agent.client import Client

    from ..app import LuthierApp
    from ..glyphs import Glyphs
    from ..settings import InterfaceSettings
    from ..state import ClientState, Topic

_Answer = TypeVar("_Answer")

ALL: frozenset[tuple[str, str]] = frozenset({("all", "")})
"""What a screen is told that comes to the front: anything may have changed."""

_BUSY_AFTER_SECONDS = 0.3


class LuthierScreen(Screen[None]):
    """A screen of Luthier. Override ``body`` for its widgets and ``topics_changed`` for news.

    ``TITLE`` stands at the left of the header; ``self.title`` changes it.
    """

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("screen")]
    # Lets a screen style itself as .-narrow below 100 columns, .-wide from 160 on.
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-normal"), (160, "-wide")]  # noqa: RUF012

    # Textual writes the whole screen whenever the focus moves; widgets refresh themselves then.
    focused: Reactive[Widget | None] = Reactive(None, repaint=False)

    def __init__(self) -> None:
        super().__init__()
        self._compositor = ExactCompositor()
        self._waits: list[Wait[object]] = []

    # -- what a screen is made of --------------------------------------------------------------

    @property
    def luthier(self) -> LuthierApp:
        """The app, typed."""
        return cast("LuthierApp", self.app)

    @property
    def state(self) -> ClientState:
        """What is known of the agent; read it, never change it."""
        return self.luthier.state

    @property
    def interface(self) -> InterfaceSettings:
        """The person's choices."""
        return self.luthier.interface

    @property
    def glyphs(self) -> Glyphs:
        """The characters to draw with."""
        return self.luthier.glyphs

    def compose(self) -> ComposeResult:
        """Header, banner, the body, and the footer. Override ``body`` instead."""
        yield Header()
        yield Banner()
        with Vertical(id="body"):
            yield from self.body()
        yield KeyLine()

    def body(self) -> Iterable[Widget]:
        """The widgets between header and footer; ``with`` blocks work as in ``compose``."""
        return ()

    @property
    def labels(self) -> Mapping[str, str]:
        """What keys are called here just now, by id, where that is not what the table says."""
        return {}

    # -- news ----------------------------------------------------------------------------------

    def topics_changed(self, topics: frozenset[Topic]) -> None:
        """Show what changed.

        Called on the UI thread at most four times a second while the screen is in front, and with
        ``ALL`` when it comes to the front and when the interface settings changed.
        """

    def on_screen_resume(self) -> None:
        """Come to the front: anything may have changed meanwhile."""
        if self.is_mounted:
            self.news(ALL)

    def on_mount(self) -> None:
        """Show what is known."""
        self.news(ALL)

    def news(self, topics: frozenset[Topic]) -> None:
        """Tell header, banner and the screen."""
        for part in (*self.query(Header), *self.query(Banner)):
            part.topics_changed(topics)
        self.topics_changed(topics)

    # -- requests ------------------------------------------------------------------------------

    def ask(
        self,
        request: Callable[[Client], _Answer],
        then: Callable[[_Answer], None] | None = None,
        *,
        doing: str = "",
        failed: Callable[[LuthierError], None] | None = None,
    ) -> Wait[_Answer]:
        """Send a request to the agent in a thread.

        A LuthierError shows as a toast, unless ``failed`` takes it. Escape leaves the wait.

        Args:
            request: called in the thread with a client; it may send several requests.
            then: called on the UI thread with the answer, unless the wait was cancelled or the
                screen is gone.
            doing: what it is, such as ``loading the model``; shown in the header when it takes
                longer than 300 ms.
            failed: called on the UI thread with the error instead of the toast.
        """

        def ended(wait: Wait[_Answer]) -> None:
            self.call_later(self._wait_ended, wait, then, failed)

        client = self.luthier.client_in_time
        wait: Wait[_Answer] = Wait(lambda: request(client()), ended, doing)
        self._forget_given_up()
        self._waits.append(cast("Wait[object]", wait))
        wait.start()
        if doing:
            self.set_timer(_BUSY_AFTER_SECONDS, self._show_busy)
        return wait

    def _wait_ended(
        self,
        wait: Wait[_Answer],
        then: Callable[[_Answer], None] | None,
        failed: Callable[[LuthierError], None] | None,
    ) -> None:
        with contextlib.suppress(ValueError):
            self._waits.remove(cast("Wait[object]", wait))
        self._show_busy()
        if wait.is_cancelled or not self.luthier.is_running:
            return
        if wait.error is not None:
            (failed or self.luthier.show_error)(wait.error)
        elif then is not None:
            then(cast("_Answer", wait.answer))

    @property
    def waiting_for(self) -> list[str]:
        """What is being waited for, in words, oldest first."""
        return [wait.doing for wait in self._waits if wait.doing and not wait.is_cancelled]

    def _show_busy(self) -> None:
        for header in self.query(Header):
            header.busy = self.waiting_for[-1] if self.waiting_for else ""

    # -- leaving -------------------------------------------------------------------------------

    def action_back(self) -> None:
        """Leave the waits when there are any, else the screen."""
        if not self.leave_waits():
            self.action_leave()

    def leave_waits(self) -> bool:
        """Give up what is being waited for; says so. False when there was nothing."""
        given_up = self.waiting_for
        for wait in self._waits:
            if wait.doing:
                wait.cancel()
        self._forget_given_up()
        self._show_busy()
        if given_up:
            self.notify(f"No longer waiting: {given_up[-1]}. The agent may still do it.")
        return bool(given_up)

    def _forget_given_up(self) -> None:
        """Nobody says that they ended."""
        self._waits = [wait for wait in self._waits if not wait.is_cancelled]

    def keep(self) -> None:
        """Keep what is worked on here. Called before the screen goes away, or Luthier."""

    def action_leave(self) -> None:
        """Go back to the screen before; from the first one, close Luthier."""
        self.luthier.leave_screen()

    def copy(self, text: str, what: str) -> None:
        """Put text on the clipboard and say where it went; ``what`` names it, such as ``spec``."""
        self.luthier.copy(text, what)
