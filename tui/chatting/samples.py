"""Prompts from the data of runs, with the answers that the data gives."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from luthier.agent.chat.conversation import GIVEN, Conversation, Turn
from luthier.agent.errors import RefusedError
from luthier.trainers.data.report import PreflightReport
from luthier.trainers.errors import LuthierError

if TYPE_CHECKING:
    from luthier.agent.client import Client

_FILE = "preflight.json"


@dataclass(frozen=True)
class Sample:
    """A prompt of a dataset.

    Attributes:
        prompt: what the user says last.
        before: what was said before it: pairs of role and text.
        expected: the answer in the data.
    """

    prompt: str
    before: tuple[tuple[str, str], ...]
    expected: str

    def conversation(self, system: str = "") -> Conversation:
        """A conversation that has come to the question; the data's own system prompt wins."""
        found = Conversation(system)
        for role, text in self.before:
            if role == "system":
                found.system = text
            elif role == "user":
                found.turns.append(Turn(text))
            elif found.turns:
                found.turns[-1].answers[GIVEN] = text
        found.ask(self.prompt, self.expected)
        return found


def read_samples(client: Client, run_ids: Iterable[str]) -> list[Sample]:
    """The prompts of every run once. Runs that looked at no dataset have none.

    Raises:
        LuthierError: the agent does not answer, or a report is damaged.
    """
    found: dict[Sample, None] = {}
    for run_id in run_ids:
        try:
            text = b"".join(client.download(run_id, _FILE))
        except RefusedError as error:
            if error.status == 404:
                continue
            raise
        found |= dict.fromkeys(samples_of(text, f"run {run_id}: {_FILE}"))
    return list(found)


def samples_of(text: bytes, where: str) -> list[Sample]:
    """The prompts in a report. Raises LuthierError, naming ``where``, when it is damaged."""
    try:
        report = PreflightReport.model_validate_json(text)
    except ValidationError as error:
        raise LuthierError(f"{where}: is damaged, so its sample prompts are missing.") from error
    return [
        Sample(
            each.prompt,
            tuple(
                (str(message.get("role")), str(message.get("content") or ""))
                for message in each.messages[:-1]
            ),
            each.expected,
        )
        for each in report.sample_prompts
    ]
