"""The devices of a run: how busy, how full, how hot, how much power."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from luthier.agent.models import HardwareSample, Run

from ..glyphs import Glyphs
from ..plot.drawing import Row
from ..run_view import hardware_rows
from ..settings import InterfaceSettings
from .drawn import Drawn

_LOW = 30
_KEPT = 64


class GpuPanel(Drawn):
    """A row for each device of a run, as many as the screen has room for.

    Args:
        run: gives the run, None while it is not known.
        look: gives the characters and choices to draw with.
    """

    def __init__(
        self,
        run: Callable[[], Run | None],
        look: Callable[[], tuple[Glyphs, InterfaceSettings]],
        *,
        id: str | None = None,
    ) -> None:
        super().__init__(self._device_rows, id=id)
        self._run = run
        self._look = look
        self._samples: list[HardwareSample] = []

    def add(self, samples: Iterable[HardwareSample]) -> None:
        """Show these samples beside those that are known."""
        known = {sample.t: sample for sample in (*self._samples, *samples)}
        self._samples = [known[t] for t in sorted(known)][-_KEPT:]
        self.show()

    def _device_rows(self, width: int) -> list[Row]:
        run = self._run()
        if run is None:
            return []
        glyphs, interface = self._look()
        most = 1 if self.app.size.height < _LOW else 4
        return hardware_rows(run, self._samples, glyphs, interface, width, most)
