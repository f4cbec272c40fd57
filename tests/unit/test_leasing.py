"""Which device a worker that answers may have."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.agent.leasing import DeviceTakenError, Tenant, Wish
from luthier.agent.leasing.need import memory_need
from luthier.agent.leasing.room import choose
from luthier.agent.models import Device
from luthier.trainers.spec import ModelSection

_GIB = 1 << 30
_CPU = Device(id="cpu", kind="cpu", name="CPU", slots=1)


def _gpu(number: int, used: float | None = 0, **more: object) -> Device:
    values = {"memory_total": 16 * _GIB, "memory_used": None if used is None else int(used * _GIB)}
    return Device.model_validate(
        {"id": f"cuda:{number}", "kind": "cuda", "name": "GPU", **values, **more}
    )


def _wish(*devices: str, need: float | None = 5, count: int = 1) -> Wish:
    wanted = None if need is None else int(need * _GIB)
    return Wish("chat 1 with violin", "local", devices, count=count, need=wanted)


_BIG = Tenant("big", ("cuda:0",), settled=True)


@pytest.mark.parametrize(
    ("wish", "devices", "tenants", "chosen"),
    [
        # The CPU is never in the way, whoever computes on it.
        (_wish("cpu"), [_CPU], [Tenant("demo", ("cpu",), True)], "cpu"),
        (_wish(), [_CPU], [Tenant("demo", ("cpu",), True)], "cpu"),
        (_wish("cuda:0"), [_CPU], [], "cpu"),
        (_wish("cuda:0"), [_CPU, _gpu(0, ready=False)], [], "cpu"),
        # A free device before a shared one, the run's own before others.
        (_wish(), [_CPU, _gpu(0)], [], "cuda:0"),
        (_wish("cuda:1"), [_CPU, _gpu(0), _gpu(1)], [], "cuda:1"),
        (_wish("cuda:0"), [_CPU, _gpu(0), _gpu(1)], [_BIG], "cuda:1"),
        (_wish("cuda:0"), [_CPU, _gpu(0, 10)], [_BIG], "cuda:0"),
        (_wish("cuda:0"), [_CPU, _gpu(0, others=["anna (pid 1)"]), _gpu(1)], [], "cuda:1"),
        # Nobody else is there, so trying costs nobody anything.
        (_wish(need=None), [_CPU, _gpu(0, None)], [], "cuda:0"),
        (
            _wish("cuda:0", "cuda:1", need=20, count=2),
            [_CPU, _gpu(0), _gpu(1)],
            [],
            "cuda:0 cuda:1",
        ),
    ],
)
def test_a_place_is_found(
    wish: Wish, devices: list[Device], tenants: list[Tenant], chosen: str
) -> None:
    assert choose(wish, devices, tenants) == tuple(chosen.split())


@pytest.mark.parametrize(
    ("device", "tenants", "guests", "promised", "why"),
    [
        (
            _gpu(0, 13),
            [_BIG],
            {},
            {},
            "run big holds cuda:0, which leaves 3.0 GiB of its memory, and 5.0 GiB are needed.",
        ),
        (_gpu(0), [Tenant("big", ("cuda:0",), False)], {}, {}, "holds cuda:0 and has only begun."),
        (_gpu(0), [], {}, {"cuda:0": "next"}, "run next is next on cuda:0."),
        (_gpu(0, None), [_BIG], {}, {}, "how much memory is needed beside is not known."),
        (_gpu(0, 13), [], {"cuda:0": ["chat 2 with viola"]}, {}, "chat 2 with viola holds cuda:0,"),
        (_gpu(0, 13, others=["anna (pid 1)"]), [], {}, {}, "anna (pid 1) holds cuda:0, which"),
        (
            _gpu(0, 13),
            [_BIG, Tenant("small", ("cuda:0",), True)],
            {},
            {},
            "run big and run small hold cuda:0, which leaves",
        ),
    ],
)
def test_no_place_says_who_has_it_and_offers_the_cpu(
    device: Device,
    tenants: list[Tenant],
    guests: Mapping[str, list[str]],
    promised: Mapping[str, str],
    why: str,
) -> None:
    with pytest.raises(DeviceTakenError) as taken:
        choose(_wish("cuda:0"), [_CPU, device], tenants, guests, promised)
    assert str(taken.value).startswith("There is no room for chat 1 with violin: ")
    assert why in str(taken.value)
    assert "use the CPU: --cpu" in str(taken.value)
    assert taken.value.status == 409


@given(
    st.lists(st.tuples(st.floats(0, 16), st.booleans(), st.booleans()), max_size=3),
    st.floats(0, 20),
    st.integers(1, 3),
)
def test_beside_a_run_there_is_always_room(
    gpus: list[tuple[float, bool, bool]], need: float, count: int
) -> None:
    devices = [_CPU, *(_gpu(number, used) for number, (used, _, _) in enumerate(gpus))]
    tenants = [
        Tenant("r", (f"cuda:{number}",), settled)
        for number, (_, held, settled) in enumerate(gpus)
        if held
    ]
    try:
        chosen = choose(_wish(need=need, count=count), devices, tenants)
    except DeviceTakenError:
        assert tenants
        return
    for device in chosen:
        used, held, settled = (0.0, False, True) if device == "cpu" else gpus[int(device[5:])]
        assert not held or (settled and 16 - used >= need / len(chosen) - 1e-6)


def test_the_need_follows_how_the_weights_are_loaded(tmp_path: Path) -> None:
    config = {
        "model_type": "llama",
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "num_hidden_layers": 16,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
        "torch_dtype": "bfloat16",
        "architectures": ["LlamaForCausalLM"],
    }
    (tmp_path / "config.json").write_text(json.dumps(config))

    def need(**settings: object) -> int:
        section = ModelSection.model_validate({"name_or_path": str(tmp_path), **settings})
        found = memory_need(section)
        assert found is not None
        return found

    assert need(load_in_4bit=True) < need(load_in_8bit=True) < need() < need(dtype="float32")
    assert need() == need(dtype="bfloat16")
    assert memory_need(ModelSection(name_or_path="nobody/nothing-like-it")) is None
