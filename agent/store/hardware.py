"""Hardware samples of a run, put together by SQLite when there are too many."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Sequence

from ..models import Device, HardwareSample
from . import runs


def save(connection: sqlite3.Connection, run_id: str, samples: Sequence[HardwareSample]) -> None:
    """Keep samples; one of the same time is replaced."""
    run = runs.key(connection, run_id)
    connection.executemany(
        "INSERT OR REPLACE INTO hardware (run, t, cpu_percent, memory_used) VALUES (?, ?, ?, ?)",
        ((run, sample.t, sample.cpu_percent, sample.memory_used) for sample in samples),
    )
    connection.executemany(
        "INSERT INTO device (run, id, body) VALUES (?, ?, ?)"
        " ON CONFLICT DO UPDATE SET body = excluded.body",
        ((run, d.id, d.model_dump_json()) for sample in samples for d in sample.devices),
    )
    connection.executemany(
        "INSERT OR REPLACE INTO device_sample"
        " (run, device, t, utilisation, memory_used, temperature, power)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            (run, d.id, sample.t, d.utilisation, d.memory_used, d.temperature, d.power)
            for sample in samples
            for d in sample.devices
        ),
    )


def load(
    connection: sqlite3.Connection,
    run_id: str,
    span: tuple[float | None, float | None],
    limit: int,
) -> list[HardwareSample]:
    """Samples of a span of time; see ``Store.hardware``."""
    values: dict[str, float | int | None] = {
        "run": runs.find_key(connection, run_id),
        "first": float("-inf") if span[0] is None else float(span[0]),
        "last": float("inf") if span[1] is None else float(span[1]),
    }
    within = "WHERE run = :run AND t BETWEEN :first AND :last"
    count, start, end = connection.execute(
        f"SELECT count(*), min(t), max(t) FROM hardware {within}", values
    ).fetchone()
    group = "t"
    if count > limit:
        group = "min(CAST((t - :start) / :width AS INTEGER), :final)"
        values |= {"start": start, "width": (end - start) / limit, "final": limit - 1}
    devices = _devices(connection, within, group, values)
    rows = connection.execute(
        f"SELECT {group}, max(t), avg(cpu_percent), max(memory_used) FROM hardware {within}"
        " GROUP BY 1 ORDER BY 1",
        values,
    )
    return [
        HardwareSample(t=t, cpu_percent=cpu, memory_used=memory, devices=devices[bucket])
        for bucket, t, cpu, memory in rows
    ]


def _devices(
    connection: sqlite3.Connection,
    within: str,
    group: str,
    values: dict[str, float | int | None],
) -> dict[float, list[Device]]:
    """The devices of each group of samples, in the order in which they were first seen."""
    known = {
        device_id: Device.model_validate_json(body)
        for device_id, body in connection.execute(
            "SELECT id, body FROM device WHERE run = :run ORDER BY rowid", values
        )
    }
    found: dict[float, dict[str, Device]] = defaultdict(dict)
    for bucket, device_id, utilisation, memory, temperature, power in connection.execute(
        f"SELECT {group}, device, avg(utilisation), max(memory_used), max(temperature), max(power)"
        f" FROM device_sample {within} GROUP BY 1, 2",
        values,
    ):
        found[bucket][device_id] = known[device_id].model_copy(
            update={
                "utilisation": utilisation,
                "memory_used": memory,
                "temperature": temperature,
                "power": power,
            }
        )
    ordered: dict[float, list[Device]] = defaultdict(list)
    for bucket, devices in found.items():
        ordered[bucket] = [devices[device_id] for device_id in known if device_id in devices]
    return ordered
