"""A module's runs, the API over them, and one loaded chat."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from luthier.agent.models import Chat

from .serving import Runs, Served, serving


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return Runs(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads only slow such small models down."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="module")
def served(runs: Runs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("home"), runs) as one:
        yield one


@pytest.fixture(scope="module")
def both(served: Served) -> Chat:
    """A chat with both adapters, loaded one after the other."""
    served.open("one")
    return served.open("two")
