"""The queue: who gets which device, and in which order."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.agent.client import Client
from luthier.agent.errors import RefusedError
from luthier.agent.models import Device
from luthier.agent.runs.queue import Decision, Holder, Waiting, decide
from luthier.agent.states import RunState
from luthier.trainers.spec import LaunchSection

if TYPE_CHECKING:
    from .conftest import RealAgent, Workshop

_CPU = Device(id="cpu", kind="cpu", name="CPU")
_TWO_GPUS = [_CPU, *(Device(id=f"cuda:{n}", kind="cuda", name="GPU") for n in range(2))]


def _waiting(name: str, **launch: object) -> Waiting:
    return Waiting(name, name, LaunchSection.model_validate(launch))


def _decide(
    *queue: Waiting, holders: tuple[Holder, ...] = (), devices: list[Device] | None = None
) -> dict[str, Decision]:
    found = decide(queue, holders, _TWO_GPUS if devices is None else devices)
    return {decision.run_id: decision for decision in found}


def test_auto_takes_accelerators_one_a_process() -> None:
    found = _decide(_waiting("a", processes=2), _waiting("b"))
    assert found["a"].devices == ("cuda:0", "cuda:1")
    assert found["b"].waits == "Waits for cuda:0, which a holds."


def test_without_accelerators_auto_takes_the_cpu_whatever_the_processes() -> None:
    found = _decide(_waiting("a", processes=4), _waiting("b"), devices=[_CPU])
    assert found["a"].devices == ("cpu",)
    assert found["b"].waits == "Waits for the CPU, which a holds."


def test_run_that_waits_keeps_what_it_could_use_and_nothing_else() -> None:
    holder = Holder("z", ("cuda:0",), False)
    found = _decide(
        _waiting("both", processes=2),
        _waiting("one"),
        _waiting("first", devices=[0]),
        _waiting("cpu", devices="cpu"),
        holders=(holder,),
    )
    assert found["both"].waits == "Waits for cuda:0, which z holds."
    assert found["one"].waits == "Waits for cuda:0, behind both in the queue."
    assert not found["first"].devices
    assert found["cpu"].devices == ("cpu",)


def test_named_device_does_not_hold_up_the_other_one() -> None:
    holder = Holder("z", ("cuda:0",), False)
    found = _decide(_waiting("a", devices=[0]), _waiting("b", devices=[1]), holders=(holder,))
    assert not found["a"].devices
    assert found["b"].devices == ("cuda:1",)


def test_sharing_runs_share_with_each_other_only() -> None:
    found = _decide(
        _waiting("a", devices=[0], share_device=True),
        _waiting("b", devices=[0], share_device=True),
        _waiting("c", devices=[0]),
    )
    assert found["a"].devices == found["b"].devices == ("cuda:0",)
    assert found["c"].waits == "Waits for cuda:0, which a and b hold."


def test_device_that_is_not_ready_is_not_given_away() -> None:
    broken = _TWO_GPUS[1].model_copy(update={"ready": False})
    found = _decide(_waiting("a", devices=[0]), devices=[_CPU, broken])
    assert found["a"].waits == "Waits for cuda:0, which is not ready."


_LAUNCHES = st.builds(
    lambda devices, processes, share: LaunchSection.model_validate(
        {
            "devices": devices,
            "processes": min(processes, len(devices)) if isinstance(devices, list) else processes,
            "share_device": share,
        }
    ),
    st.sampled_from(["auto", "cpu", [0], [1], [0, 1], [2, 0]]),
    st.integers(1, 3),
    st.booleans(),
)


@given(
    st.lists(_LAUNCHES, max_size=8),
    st.integers(0, 3),
    st.integers(1, 3),
    st.lists(st.booleans(), max_size=8),
)
def test_no_device_is_ever_overbooked_and_nobody_overtakes(
    launches: list[LaunchSection], gpus: int, slots: int, ready: list[bool]
) -> None:
    flags = [*ready, *([True] * gpus)]
    devices = [
        _CPU.model_copy(update={"slots": slots}),
        *(Device(id=f"cuda:{n}", kind="cuda", name="", ready=flags[n]) for n in range(gpus)),
    ]
    queue = [Waiting(str(n), str(n), launch) for n, launch in enumerate(launches)]
    decisions = decide(queue, [], devices)
    assert [decision.run_id for decision in decisions] == [waiting.run_id for waiting in queue]
    for device in devices:
        on_it = [
            waiting.launch.share_device
            for waiting, decision in zip(queue, decisions, strict=True)
            if device.id in decision.devices
        ]
        assert on_it.count(False) + any(on_it) <= device.slots
        assert device.ready or not on_it
    for decision in decisions:
        assert bool(decision.devices) != bool(decision.waits)
    # Who comes later with the very same wishes never goes first.
    for earlier, first in zip(queue, decisions, strict=True):
        for later, second in zip(queue, decisions, strict=True):
            same = earlier.launch == later.launch and int(earlier.run_id) < int(later.run_id)
            assert not (same and second.devices and not first.devices)


def test_cpu_runs_one_after_the_other_in_the_order_of_the_queue(
    real_agent: RealAgent, client: Client, workshop: Workshop, wait: Callable[..., Any]
) -> None:
    gate = str(workshop.file("go"))
    first = client.submit(workshop.spec({"steps": 2, "hold": {"1": gate}}, name="first"))
    others = [client.submit(workshop.spec({"steps": 2}, name=name)) for name in ("b", "c", "d")]
    real_agent.reached(first.id, 1)
    client.move("d", 0)
    assert [run.queue_position for run in map(client.run, ("d", "b", "c"))] == [0, 1, 2]
    wait(lambda: client.run("d").reason == "Waits for the CPU, which first holds.")
    workshop.file("go").touch()
    done = [real_agent.ended(run.id) for run in others]
    starts = {run.name: run.started_at for run in done}
    ends = {run.name: run.ended_at for run in done}
    assert sorted(starts, key=lambda name: starts[name]) == ["d", "b", "c"]
    assert ends["d"] <= starts["b"]
    assert ends["b"] <= starts["c"]


def test_more_slots_and_sharing_let_runs_go_together(
    real_agent: RealAgent, workshop: Workshop
) -> None:
    real_agent.write_settings(cpu_slots=2)
    client = real_agent.start()
    held = {"steps": 2, "hold": {"1": str(workshop.file("go"))}}
    one = client.submit(workshop.spec(held))
    for name in ("two", "three"):
        client.submit(workshop.spec(held, name=name, launch={"share_device": True}))
    last = client.submit(workshop.spec(held, name="four"))
    for name in (one.id, "two", "three"):
        real_agent.reached(name, 1)
    assert client.run(last.id).state is RunState.QUEUED
    assert len(client.hardware().devices[0].runs) == 3
    workshop.file("go").touch()
    assert real_agent.ended(last.id).state is RunState.SUCCEEDED


def test_waiting_run_is_stopped_at_once_and_may_come_back(
    real_agent: RealAgent, client: Client, workshop: Workshop
) -> None:
    gate = workshop.file("go")
    first = client.submit(workshop.spec({"steps": 2, "hold": {"1": str(gate)}}))
    second = client.submit(workshop.spec({"steps": 2}))
    stopped = client.stop(second.id)
    assert (stopped.state, stopped.attempts) == (RunState.STOPPED, [])
    with pytest.raises(RefusedError, match="does not wait in a queue"):
        client.move(second.id, 0)
    client.resume(second.id)
    gate.touch()
    assert real_agent.ended(first.id).state is RunState.SUCCEEDED
    assert real_agent.ended(second.id).state is RunState.SUCCEEDED


def test_order_of_the_queue_survives_the_agent(real_agent: RealAgent, workshop: Workshop) -> None:
    client = real_agent.start()
    gate = workshop.file("go")
    first = client.submit(workshop.spec({"steps": 2, "hold": {"1": str(gate)}}))
    for name in ("b", "c", "d"):
        client.submit(workshop.spec({"steps": 1}, name=name))
    client.move("d", 1)
    client.move("b", 9)
    real_agent.reached(first.id, 1)
    real_agent.kill()
    client = real_agent.start()
    order = sorted(client.runs([RunState.QUEUED]), key=lambda run: run.queue_position or 0)
    assert [run.name for run in order] == ["d", "c", "b"]
    gate.touch()
    assert real_agent.ended("b").state is RunState.SUCCEEDED
