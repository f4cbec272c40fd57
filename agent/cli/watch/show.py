"""Watching a run in the way that fits where the output goes."""

from __future__ import annotations

from collections.abc import Callable
from shlex import quote

from ...models import Run, StoredEvent
from ..invocation import Invocation
from .follow import follow
from .lines import LineWriter, ending
from .picture import Picture


class Detached(KeyboardInterrupt):
    """The person left with ctrl-c; the run goes on."""


def watch(here: Invocation, name: str, *, as_json: bool = False) -> Run:
    """Show a run until it has ended; returns it as it ended.

    Raises:
        Detached: ctrl-c; said on standard error.
    """
    show: Callable[[Invocation, str], Run] = _lines
    if as_json:
        show = _json
    elif here.draws:
        show = _live
    try:
        return show(here, name)
    except KeyboardInterrupt as error:
        here.remark(
            f"You left; the run goes on. Come back with: luthier watch {quote(name)}, "
            f"end it with: luthier stop {quote(name)}",
            style="",
        )
        raise Detached from error


def wait(here: Invocation, name: str) -> Run:
    """Wait for a run's end without a word. Raises Detached like watch."""
    try:
        return _quiet(here, name)
    except KeyboardInterrupt as error:
        here.remark(f"You left; the run goes on: luthier watch {quote(name)}", style="")
        raise Detached from error


def _quiet(here: Invocation, name: str) -> Run:
    runs = [news for news in follow(here.client, name) if isinstance(news, Run)]
    return runs[-1]


def _lines(here: Invocation, name: str) -> Run:
    writer: LineWriter | None = None
    for news in follow(here.client, name):
        if isinstance(news, StoredEvent):
            assert writer is not None
            lines = writer.event(news)
        else:
            writer = writer or LineWriter(Picture(news))
            lines = writer.changed(news)
        for line in lines:
            here.say(line)
    assert writer is not None
    for line in ending(writer.picture.run):
        here.say(line)
    return writer.picture.run


def _json(here: Invocation, name: str) -> Run:
    last: Run | None = None
    for news in follow(here.client, name):
        if isinstance(news, StoredEvent):
            here.print_json_line(news.event)
        else:
            last = news
            here.print_json_line({"kind": "run", **news.model_dump(mode="json")})
    assert last is not None
    return last


def _live(here: Invocation, name: str) -> Run:
    from rich.live import Live

    from .live import LiveView

    picture: Picture | None = None
    with Live(console=here.console, refresh_per_second=4, transient=False) as live:
        for news in follow(here.client, name):
            if isinstance(news, StoredEvent):
                assert picture is not None
                picture.event(news)
            elif picture is None:
                picture = Picture(news)
                live.update(LiveView(picture, unicode=here.unicode))
            else:
                picture.changed(news)
    assert picture is not None
    for line in ending(picture.run):
        here.say(line)
    return picture.run
