"""The devices of a run: how busy, how full, how hot, how much power."""

from __future__ import annotations

from collections.abc import Callable

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

    def add(self, samples: list[HardwareSample]) -> None:
        """Show samples, of which those after the ones that are known are new."""
        newest = self._samples[-1].t if self._samples else 0.0
        fresh = [sample for sample in samples if sample.t > newest]
        if fresh:
            self._samples = [*self._samples, *fresh][-_KEPT:]
        self.show()

    def _device_rows(self, width: int) -> list[Row]:
        run = self._run()
        if run is None:
            return []
        glyphs, interface = self._look()
        most = 1 if self.app.size.height < _LOW else 4
        return hardware_rows(run, self._samples, glyphs, interface, width, most)
