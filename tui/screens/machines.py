"""The machines: how busy they are, who uses what, and who comes next."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import Static

from luthier.agent.models import HostReport, Run
from luthier.trainers.errors import LuthierError

from ..asking import Wait
from ..bindings import bindings
from ..columns import Cell, Column
from ..machine_view import (
    DEVICE_COLUMNS,
    QUEUE_COLUMNS,
    device_cell,
    place_after,
    queue_cell,
    waiting,
)
from ..run_list import counted
from ..state import Topic
from ..widgets.host_meters import HostMeters
from ..widgets.line_table import LineTable
from .confirm import ConfirmScreen
from .host_actions import HostActions

_LOOK_SECONDS = 2.0


class MachinesScreen(HostActions):
    """Hardware live, the devices with their runs, and the queue."""

    TITLE = "machines"
    CSS_PATH = "../styles/machines.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("machines")]

    def __init__(self) -> None:
        super().__init__()
        self._report: HostReport | None = None
        self._looking: Wait[HostReport] | None = None

    def body(self) -> Iterable[Widget]:
        """The host, its devices, its queue."""
        cut = self.glyphs.ellipsis
        yield HostMeters()
        yield LineTable(DEVICE_COLUMNS, self._device_cell, ellipsis=cut, id="devices")
        yield Static("Queue", classes="title", id="queue-title")
        yield LineTable(QUEUE_COLUMNS, self._queue_cell, ellipsis=cut, id="queue")
        yield Static("Nothing waits: a new run starts at once.", classes="muted", id="nothing")

    def on_mount(self) -> None:
        """Look at the hardware again and again while this screen is in front."""
        self.query_one("#devices").focus()
        self.set_interval(_LOOK_SECONDS, self._look)

    @property
    def _devices(self) -> LineTable:
        return self.query_one("#devices", LineTable)

    @property
    def _queue(self) -> LineTable:
        return self.query_one("#queue", LineTable)

    # -- showing -------------------------------------------------------------------------------

    def topics_changed(self, topics: frozenset[Topic]) -> None:
        """Show the queue, and who has the devices."""
        kinds = {topic for topic, _ in topics}
        if kinds & {"all", "connection"}:
            self._look()
        if kinds & {"all", "runs", "run"}:
            self._show_queue()
        if "all" in kinds:
            self._show_report()

    def _look(self) -> None:
        """Ask for the hardware, unless the last answer is still awaited."""
        idle = self._looking is None or self._looking.ended.is_set()
        host = self.host
        if idle and self.luthier.front is self and self.state.connection == "live":
            self._looking = self.ask(
                lambda client: client.hosts.hardware(host), self._take, failed=self._missed
            )

    def host_changed(self) -> None:
        """Show nothing of the machine before."""
        self._report = None
        self._devices.show([])
        self.query_one(HostMeters).show_problem(f"looking at {self.host}")
        self._look()

    def _take(self, report: HostReport) -> None:
        if report.host == self.host:
            self._report = report
            self._show_report()

    def _missed(self, error: LuthierError) -> None:
        # The banner tells when the agent is away; anything else stands where the figures would.
        self.query_one(HostMeters).show_problem(str(error))

    def _show_report(self) -> None:
        report = self._report
        if report is None:
            return
        self.query_one(HostMeters).show(report, self.glyphs, self.interface)
        self._devices.show([device.id for device in report.devices])
        self._devices.styles.height = len(report.devices) + 1
        self._devices.update()

    def _show_queue(self) -> None:
        queued = waiting(self.state.runs.values())
        self._queue.show([run.id for run in queued])
        self._queue.update()
        self.set_class(not queued, "-nothing")
        self.refresh_bindings()

    def _device_cell(self, key: str, column: Column) -> Cell:
        for device in self._report.devices if self._report else ():
            if device.id == key:
                return device_cell(device, column, self.glyphs, self.interface, self.state.runs)
        return Cell("")

    def _queue_cell(self, key: str, column: Column) -> Cell:
        run = self.state.runs.get(key)
        return queue_cell(run, column, time.time()) if run else Cell("")

    # -- doing ---------------------------------------------------------------------------------

    def _waiting_run(self) -> Run | None:
        return self.state.runs.get(self._queue.current or "")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The queue's keys are there while something waits."""
        if action in ("move", "unqueue") and self.is_mounted:
            return self._waiting_run() is not None
        return True

    def action_move(self, step: int) -> None:
        """Let the run with the queue's cursor start earlier or later."""
        run = self._waiting_run()
        if run is None:
            return
        self._queue.focus()
        place = place_after(run, self.state.runs.values(), step)
        if place is not None:
            self.ask(lambda client: client.move(run.id, place), doing="moving the run")

    def action_unqueue(self) -> None:
        """Stop the run with the queue's cursor before it starts."""
        run = self._waiting_run()

        def answered(yes: bool | None) -> None:
            if yes and run is not None:
                self.ask(lambda client: client.stop(run.id), doing="stopping the run")

        if run is not None:
            question = f"Take {counted([run])} out of the queue?"
            detail = "It stays in the list of runs; resume puts it back."
            self.app.push_screen(ConfirmScreen(question, detail, yes="Stop"), answered)

    @on(LineTable.Selected, "#queue")
    def _queue_selected(self, event: LineTable.Selected) -> None:
        self.luthier.open_run(event.key)

    @on(LineTable.Selected, "#devices")
    def _device_selected(self, event: LineTable.Selected) -> None:
        devices = self._report.devices if self._report else []
        users = [run for device in devices if device.id == event.key for run in device.runs]
        if users:
            self.luthier.open_run(users[0])
        else:
            self.notify(f"Nobody uses {event.key}.", markup=False)

    @on(LineTable.Moved, "#queue")
    def _cursor_moved(self) -> None:
        self.refresh_bindings()
