"""Which columns fit, and how wide they are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from luthier.tui.columns import Column, fit, starts
from luthier.tui.machine_view import DEVICE_COLUMNS, QUEUE_COLUMNS
from luthier.tui.run_list import COLUMNS

columns = st.lists(
    st.builds(
        Column,
        key=st.text("abc", min_size=1, max_size=3),
        title=st.just(""),
        width=st.integers(1, 20),
        grow=st.integers(0, 4),
        rank=st.integers(0, 5),
        most=st.just(0),
    ),
    min_size=1,
    max_size=12,
)


def total(shown: list[Column]) -> int:
    return sum(column.width for column in shown) + len(shown) - 1


@given(columns, st.integers(1, 300))
def test_they_fit_or_only_the_needed_are_left(given: list[Column], width: int) -> None:
    shown = fit(given, width)
    assert total(shown) <= width or all(column.rank == 0 for column in shown)


@given(columns, st.integers(1, 300))
def test_growing_columns_use_the_whole_room(given: list[Column], width: int) -> None:
    shown = fit(given, width)
    if total(shown) <= width and any(column.grow for column in shown):
        assert total(shown) == width


@given(columns, st.integers(1, 300))
def test_none_gets_narrower_and_the_order_stays(given: list[Column], width: int) -> None:
    shown = fit(given, width)
    rest = iter(given)
    for column in shown:
        assert any(each.key == column.key and each.width <= column.width for each in rest)


@given(columns, st.integers(1, 200))
def test_those_of_a_high_rank_go_first(given: list[Column], width: int) -> None:
    shown = fit(given, width)
    gone = len(given) - len(shown)
    ranks = sorted((column.rank for column in given), reverse=True)
    assert sorted((c.rank for c in shown), reverse=True) == ranks[gone:]


def test_a_limit_is_kept() -> None:
    shown = fit([Column("a", "", 2, grow=1, most=5), Column("b", "", 2, grow=1)], 30)
    assert [column.width for column in shown] == [5, 24]


def test_columns_start_after_each_other() -> None:
    assert starts([Column("a", "", 3), Column("b", "", 4), Column("c", "", 1)]) == [0, 4, 9]


def test_all_tables_fit_into_eighty_cells() -> None:
    for table in (COLUMNS, DEVICE_COLUMNS, QUEUE_COLUMNS):
        assert total(fit(table, 77)) <= 77


def test_eighty_cells_show_task_and_curve_beside_a_scrollbar_and_marks() -> None:
    assert {"task", "curve"} <= {column.key for column in fit(COLUMNS, 75)}


def test_a_wide_list_of_runs_shows_everything() -> None:
    assert len(fit(COLUMNS, 236)) == len(COLUMNS)
