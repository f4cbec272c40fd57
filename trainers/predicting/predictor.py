"""What turns inputs into predictions. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..run_folder import RunFolder


class Predictor:
    """The result of one run, loaded. A task names its class by ``Task.predict``.

    Args:
        run: the run, which has a result.
        device: ``cpu``, ``cuda`` or ``qaic``.
    """

    batch_size = 16
    """How many inputs are best given at once."""

    def __init__(self, run: RunFolder, device: str) -> None:
        self.run = run
        self.device = device

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """A prediction in plain JSON types for each input, in their order.

        Args:
            rows: values by role, as ``Task.inputs`` names them; images are paths of files.

        Raises:
            LuthierError: an input cannot be used.
        """
        raise NotImplementedError
