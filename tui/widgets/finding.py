"""Finding words and errors in a log: one search at a time, and every press of a key counts."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, cast

from luthier.trainers.errors import LuthierError

from ..logs import Finder, find

if TYPE_CHECKING:
    from luthier.agent.client import Client

    from ..asking import Wait
    from ..screens.base import LuthierScreen
    from .log_body import LogBody


class Finding:
    """The searches in the log of a body."""

    def __init__(self, body: LogBody) -> None:
        self._body = body
        self._wait: Wait[int | None] | None = None
        # What was pressed, the first of them under way: a finder, whether forward, its name.
        self._steps: deque[tuple[Finder, bool, str]] = deque()
        self._waits_for_bytes = False

    def forget(self) -> None:
        """What was pressed and has not been done is no longer wanted."""
        self._steps.clear()
        self._waits_for_bytes = False

    def step(self, finder: Finder, forward: bool, what: str) -> None:
        """To the next line that it finds; after the searches that are under way."""
        if self._wait is not None and self._wait.is_cancelled:
            self.forget()
        self._steps.append((finder, forward, what))
        if len(self._steps) == 1:
            self._take_step()

    def step_done(self) -> None:
        """What a search has found is on the screen."""
        if self._steps:
            self._steps.popleft()
        if self._steps:
            self._take_step()

    def bytes_came(self) -> None:
        """The screen may have changed to what a step is to be taken from."""
        if self._waits_for_bytes and not self._body.is_fetching:
            self._waits_for_bytes = False
            self._take_step()

    def _take_step(self) -> None:
        if self._body.is_fetching:
            self._waits_for_bytes = True
            return
        finder, forward, what = self._steps[0]
        self.find(finder, self._body.beyond(forward), forward=forward, what=what)

    def find(self, finder: Finder, start: int, *, forward: bool, what: str) -> None:
        """Search from an offset on in a thread, and show what is found."""
        body = self._body
        run_id, attempt, output = body.run_id, body.attempt, body.output
        screen = cast("LuthierScreen", body.screen)
        this: Wait[int | None] | None = None
        if self._wait is not None:
            self._wait.cancel()

        def work(client: Client) -> int | None:
            def read(offset: int, limit: int) -> tuple[bytes, int]:
                part = client.log(run_id, attempt=attempt, offset=offset, limit=limit)
                return part.data, part.size

            def wanted() -> bool:
                # The thread may be quicker than whoever started it.
                return this is None or not this.is_cancelled

            return find(read, finder, start, forward=forward, wanted=wanted)

        def found(offset: int | None) -> None:
            self._wait = None
            if output is not body.output:
                return
            if offset is None:
                self.forget()
                body.tell(f"no {what} {'below' if forward else 'above'}")
            else:
                body.tell("")
                body.to_offset(offset)

        def failed(error: LuthierError) -> None:
            self._wait = None
            self.forget()
            screen.luthier.show_error(error)

        doing = "searching the log"
        this = self._wait = screen.ask(work, found, doing=doing, failed=failed)
