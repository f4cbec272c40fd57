"""The answers to "will it fit" and "what should I change", on the hosts that there are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from luthier.presets.auto import Host, Solution, Suggestion, installed_tools, nearest, solve
from luthier.presets.memory import Correction, DeviceFacts, model_shape
from luthier.trainers.errors import LuthierError
from luthier.trainers.spec import GradientSpec

from ..hosts.hosts import Hosts
from ..hosts.local import LOCAL
from ..models import (
    DeviceWish,
    EstimateReply,
    EstimateRequest,
    FitReply,
    FitRequest,
    HostReport,
)
from ..runs.calibration import correction_for, method_of, pace_of
from ..runs.submission import located
from ..store import Store
from .devices import device_facts
from .exact import exact_estimate
from .known import known_models
from .lengths import RowLengths
from .replies import Situation, fit_reply, quick_reply

Holders = Callable[[str], dict[str, list[str]]]
"""The runs that hold each device of a host; asked on the event loop."""


class Estimator:
    """Estimates and Auto. Nothing slow happens on the event loop.

    Args:
        hosts: where runs execute.
        holders: who holds which device.
        store: knows what finished runs took.
        offline: whether workers may open no connection.
    """

    def __init__(self, hosts: Hosts, holders: Holders, store: Store, *, offline: bool) -> None:
        self._hosts = hosts
        self._holders = holders
        self._store = store
        self._offline = offline
        self._lengths = RowLengths(offline=offline)
        self._one_exact = asyncio.Lock()

    async def quick(self, request: EstimateRequest) -> EstimateReply:
        """By arithmetic, within 100 ms unless data is to be measured.

        Raises:
            LuthierError: the spec, its model, or the host cannot be used.
        """
        at_hand = await self._situation(request)
        return await asyncio.to_thread(quick_reply, at_hand)

    async def exact(self, request: EstimateRequest) -> EstimateReply:
        """By the real model under fake tensors, in a worker; one at a time.

        Where that cannot be done the reply is the quick one, with a note that says why. Cancelling
        it ends the worker. Raises LuthierError like quick.
        """
        at_hand = await self._situation(request)
        reply = await asyncio.to_thread(quick_reply, at_hand)
        offline = self._offline or at_hand.spec.launch.offline
        async with self._one_exact:
            try:
                found = await exact_estimate(
                    at_hand.spec,
                    at_hand.device,
                    at_hand.lengths,
                    reply.estimate,
                    offline=offline,
                )
            except LuthierError as error:
                note = f"This is the quick estimate, since the exact one cannot be made: {error}"
                return reply.model_copy(update={"notes": [*reply.notes, note]})
        return reply.model_copy(
            update={
                "estimate": found,
                "fits": found.high <= reply.device.free,
                "alternatives": [],
            }
        )

    async def fit(self, request: FitRequest) -> FitReply:
        """What Auto chooses. Raises LuthierError like quick."""
        at_hand = await self._situation(request)
        solution = await asyncio.to_thread(_solve, at_hand, frozenset(request.keep))
        ways: list[Suggestion] = []
        if not solution.fits:
            others = await self._other_hosts(at_hand)
            ways = await asyncio.to_thread(_ways_out, at_hand, solution, others)
        return fit_reply(at_hand, solution, ways)

    async def _situation(self, request: EstimateRequest) -> Situation:
        spec = await asyncio.to_thread(_gradient_spec, request)
        shape = await asyncio.to_thread(model_shape, spec.model.name_or_path, spec.model.revision)
        report = await self._report(request.host or spec.launch.host)
        device = await asyncio.to_thread(device_facts, report, spec.launch, request.device)
        correction = pace = None
        if request.device.memory is None:
            correction = await asyncio.to_thread(self._correction, spec, device, report.host)
            pace = await asyncio.to_thread(pace_of, self._store, spec, shape, device, report.host)
        measured = None
        if request.data == "measure":
            measured = await self._lengths.measure(spec)
        elif request.data == "known":
            measured = await asyncio.to_thread(self._lengths.known, spec)
        price = self._hosts.get(report.host).price
        return Situation(spec, shape, report, device, correction, measured, pace, price)

    def _correction(self, spec: GradientSpec, device: DeviceFacts, host: str) -> Correction | None:
        return correction_for(
            self._store,
            device_kind=device.kind,
            device_name=device.name,
            task=spec.task,
            method=method_of(spec),
            host=host,
        )

    async def _report(self, name: str) -> HostReport:
        host = self._hosts.get(name) if name == LOCAL else self._hosts.known(name)
        return await asyncio.to_thread(host.report, self._holders(name))

    async def _other_hosts(self, at_hand: Situation) -> list[Host]:
        found = []
        for name in self._hosts.names():
            if name == at_hand.report.host:
                continue
            try:
                report = await self._report(name)
                facts = device_facts(report, at_hand.spec.launch, DeviceWish())
            except LuthierError:
                continue  # a host that does not answer now is no way out
            found.append(Host(name, facts))
        return found


def _solve(at_hand: Situation, keep: frozenset[str]) -> Solution:
    return solve(
        at_hand.spec,
        at_hand.shape,
        at_hand.device,
        lengths=at_hand.lengths,
        correction=at_hand.correction,
        tools=installed_tools(),
        keep=keep,
    )


def _ways_out(at_hand: Situation, solution: Solution, hosts: list[Host]) -> list[Suggestion]:
    return nearest(
        solution,
        at_hand.device,
        at_hand.shape,
        models=known_models(at_hand.spec.task),
        hosts=hosts,
        lengths=at_hand.lengths,
        correction=at_hand.correction,
        tools=installed_tools(),
    )


def _gradient_spec(request: EstimateRequest) -> GradientSpec:
    spec = located(request)
    if not isinstance(spec, GradientSpec):
        raise LuthierError(
            f"There is nothing to estimate for {spec.task}: it loads no network onto a device."
        )
    return spec
