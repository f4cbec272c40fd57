"""The agent with the real trainer and the demo's model."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from luthier.agent.client import Client
from luthier.agent.models import RunDetail
from luthier.agent.paths import Home
from luthier.agent.states import RunState
from luthier.trainers.demo import demo_spec_text

if TYPE_CHECKING:
    from .conftest import RealAgent

pytestmark = [pytest.mark.training, pytest.mark.timeout(900)]
_STEPS = 16
_PATIENCE = 280.0
_SHORT = [
    f"training.max_steps={_STEPS}",
    "training.logging_steps=1",
    "training.save_steps=6",
    "training.per_device_train_batch_size=8",
    "data.max_rows=400",
    "evaluation.strategy=no",
]


def _submit(client: Client, name: str, *overrides: str) -> RunDetail:
    return client.submit(demo_spec_text(), overrides=[*_SHORT, f"name={name}", *overrides])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RealAgent, RunDetail]]:
    """An agent with the worker that people have, and a run during which it was killed."""
    from tests.agent.conftest import RealAgent

    trainer = RealAgent(Home(tmp_path_factory.mktemp("trained") / "home"))
    trainer.write_settings(worker_command=[], offline=True)
    try:
        run = _submit(trainer.start(), "killed")
        for step in (1, 5, 10):
            trainer.reached(run.id, step, seconds=_PATIENCE)
            trainer.kill()
            trainer.start()
        yield trainer, trainer.ended(run.id, seconds=_PATIENCE)
    finally:
        trainer.end_everything()


def test_run_trains_end_to_end_while_the_agent_is_killed(
    trained: tuple[RealAgent, RunDetail],
) -> None:
    trainer, done = trained
    run, client = done, trainer.client
    assert (done.state, done.reason) == (RunState.SUCCEEDED, "")
    assert done.progress.step == _STEPS
    assert trainer.stored_steps(run.id) == list(range(1, _STEPS + 1))
    losses = [value for value in client.points(run.id, "loss").values if value is not None]
    assert all(math.isfinite(loss) for loss in losses)
    assert losses[-1] < losses[0]
    assert done.placement is not None
    assert done.placement["devices"] == ["cpu"]
    assert done.artifact is not None
    names = {info.path for info in client.files(run.id)}
    assert f"{done.artifact}/adapter_model.safetensors" in names


def test_stopped_run_goes_on_where_it_was(trained: tuple[RealAgent, RunDetail]) -> None:
    # Killing the agent did not touch its worker.
    trainer, whole = trained
    client = trainer.client
    run = _submit(client, "halves")
    trainer.reached(run.id, 7, seconds=_PATIENCE)
    client.stop(run.id)
    stopped = trainer.ended(run.id, seconds=_PATIENCE)
    assert stopped.state is RunState.STOPPED
    assert stopped.attempts[0].exit_code == 0
    at = stopped.progress.step
    assert 7 <= at < _STEPS
    client.resume(run.id)
    done = trainer.ended(run.id, seconds=_PATIENCE)
    assert done.state is RunState.SUCCEEDED
    # Nothing is computed twice, and the curve is that of the run that was never stopped.
    assert trainer.stored_steps(run.id) == list(range(1, _STEPS + 1))
    uninterrupted = client.points(whole.id, "loss").values
    assert client.points(run.id, "loss").values == pytest.approx(uninterrupted, rel=1e-3)
