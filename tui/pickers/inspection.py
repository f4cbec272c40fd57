"""A look at a dataset in a process of its own, which can be given up at any time."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence

from pydantic import ValidationError

from luthier.trainers.data.report import InspectReport
from luthier.trainers.errors import LuthierError
from luthier.trainers.spec.yaml_loader import dump_yaml

from ..forms import Check, Form

_MODULE = "luthier.trainers.data.inspect"
# What decides how rows are read and shown, beside the data section.
_ALSO = {
    "model.chat_template",
    "model.revision",
    "model.tokenizer",
    "model.trust_remote_code",
}
_SECTIONS = ("data", "training")


class Inspection:
    """One look.

    Args:
        path: a file, folder or hub id.
        task: id of the task that the rows are for.
        settings: the spec's settings that matter, by dotted key.
        model: whose tokenizer shows the rows; None: the rows are shown as bare text, at once.
        offline: whether nothing may be loaded over the network.
    """

    def __init__(
        self,
        path: str,
        task: str,
        settings: Mapping[str, object],
        model: str | None = None,
        *,
        offline: bool = False,
    ) -> None:
        self.path = path
        self.model = model
        self._command = _command(path, task, settings, model)
        self._environment = {**os.environ, "PYTHONUTF8": "1", "PYTHONIOENCODING": "utf-8"}
        if offline:
            self._environment["HF_HUB_OFFLINE"] = "1"
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._cancelled = False

    def run(self) -> InspectReport:
        """Look, and wait for the end. The dataset's mistakes are part of the report.

        Raises:
            LuthierError: nothing could be found out, or the look was given up.
        """
        with self._lock:
            if self._cancelled:
                raise LuthierError(f"The look at {self.path} was given up.")
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                env=self._environment,
            )
        out, said = self._process.communicate()
        if self._cancelled:
            raise LuthierError(f"The look at {self.path} was given up.")
        try:
            return InspectReport.model_validate_json(out)
        except ValidationError as error:
            lines = said.strip().splitlines()
            reason = lines[-1] if lines else f"it ended with code {self._process.returncode}"
            raise LuthierError(f"{self.path} cannot be looked at: {reason}") from error

    def cancel(self) -> None:
        """Give it up; the process ends."""
        with self._lock:
            self._cancelled = True
            if self._process is not None and self._process.poll() is None:
                self._process.kill()


def settings_for(form: Form, check: Check) -> dict[str, object]:
    """The settings of a form that decide how rows are read and shown, without the wrong ones."""
    return {
        each.field.key: each.value
        for each in form.changes()
        if (each.field.section in _SECTIONS or each.field.key in _ALSO)
        and each.field.key != "data.path"
        and each.field.key not in check.problems
    }


def _command(
    path: str, task: str, settings: Mapping[str, object], model: str | None
) -> Sequence[str]:
    # -P keeps a folder of the person's that is called like a package from being imported.
    safe = ["-P"] if sys.version_info >= (3, 11) else []
    command = [sys.executable, *safe, "-m", _MODULE, f"--task={task}"]
    if model is not None:
        command.append(f"--model={model}")
    command += [f"--set={key}={dump_yaml(value, flow=True)}" for key, value in settings.items()]
    return [*command, "--", path]
