"""Charts: spikes are seen, curves are told apart, what did not change is drawn the same."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from luthier.tui.plot.across import Across
from luthier.tui.plot.axis import Limits
from luthier.tui.plot.braille import BLANK, Canvas, stroke
from luthier.tui.plot.buckets import Buckets
from luthier.tui.plot.chart import Memory, Picture, draw
from luthier.tui.plot.curve import Curve, Look
from luthier.tui.plot.drawing import Row, changes, fitted, wrap
from luthier.tui.plot.legend import GUTTER
from luthier.tui.plot.view import ChartView

WIDTH, HEIGHT = 80, 20


def series(values: dict[int, float], most: int = 4096) -> Buckets:
    buckets = Buckets(most)
    for step, value in values.items():
        buckets.add(step, value)
    return buckets


def falling(count: int) -> dict[int, float]:
    return {step: 4 - 3 * step / count for step in range(count + 1)}


def plain(picture: Picture) -> list[str]:
    return ["".join(text for text, _ in row) for row in picture.rows]


def styles(row: Row) -> list[str]:
    return [style for text, style in row for _ in text]


def drawn(values: dict[int, float], last: float, look: Look | None = None) -> Picture:
    return draw(
        [Curve("loss", [series(values)], 0)], Limits(0, last), WIDTH, HEIGHT, look or Look()
    )


# -- canvas --------------------------------------------------------------------------------------


def test_a_canvas_draws_the_dots_it_was_given() -> None:
    canvas = Canvas(2, 1)
    canvas.layer(0)[0] |= stroke(0, 3, 4)
    canvas.layer(1)[3] |= stroke(3, 3, 4)
    assert canvas.rows() == [("⡇⢀", bytes([0, 1]))]
    assert canvas.rows(ascii_only=True) == [("|.", bytes([0, 1]))]


@given(st.integers(1, 9), st.integers(1, 6), st.data())
def test_a_canvas_shows_exactly_the_dots(width: int, height: int, data: st.DataObject) -> None:
    canvas = Canvas(width, height)
    columns = canvas.layer(0)
    dots = data.draw(
        st.sets(st.tuples(st.integers(0, width * 2 - 1), st.integers(0, height * 4 - 1)))
    )
    for x, y in dots:
        columns[x] |= stroke(y, y, height * 4)
    bits = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
    seen = set()
    for row, (text, owners) in enumerate(canvas.rows()):
        for cell, character in enumerate(text):
            code = ord(character) - 0x2800 if character != " " else 0
            assert (owners[cell] == BLANK) == (code == 0)
            seen |= {
                (cell * 2 + x, row * 4 + y) for y in range(4) for x in range(2) if code & bits[y][x]
            }
    assert seen == dots


def test_a_covering_layer_hides_what_it_touches_and_no_more() -> None:
    canvas = Canvas(2, 1)
    below = canvas.layer(0)
    below[0] = below[2] = stroke(0, 3, 4)
    canvas.layer(1, covers=True)[1] = stroke(0, 0, 4)
    assert canvas.rows() == [("⠈⡇", bytes([1, 0]))]


# -- chart ---------------------------------------------------------------------------------------


def test_a_chart_fills_its_place_to_the_cell() -> None:
    for unicode in (True, False):
        picture = drawn(falling(500), 500, Look(unicode=unicode, cross=100, smoothing=0.9))
        assert len(picture.rows) == HEIGHT
        assert {sum(cell_len(text) for text, _ in row) for row in picture.rows} == {WIDTH}
        assert unicode or all(line.isascii() for line in plain(picture))


def test_one_point_among_a_million_is_seen() -> None:
    buckets = Buckets(4096)
    for start in range(0, 1_000_000, 256):
        buckets.take(series({start: 1.0}).within(0, 10**7)[0])
    buckets.add(600_000, 50.0)
    picture = draw([Curve("loss", [buckets], 0)], Limits(0, 1_000_000), WIDTH, HEIGHT, Look())
    column = GUTTER + round(0.6 * (WIDTH - GUTTER - 1))
    upper = plain(picture)[2:10]
    assert all(line[column - 1 : column + 2].strip() for line in upper)
    assert all(not line[GUTTER : column - 1].strip() for line in upper)


def test_a_curve_goes_down_from_left_to_right_without_gaps() -> None:
    picture = drawn(falling(30), 30)
    tops = []
    for x in range(GUTTER, WIDTH):
        rows = [y for y, line in enumerate(plain(picture)[1:-1]) if line[x] != " "]
        assert rows, f"nothing is drawn in cell {x}"
        tops.append(rows[0])
    assert tops == sorted(tops)


def test_training_and_evaluation_are_together_in_their_colours() -> None:
    train = Curve("loss", [series(falling(100))], 0)
    evaluation = Curve("eval_loss", [series({20: 4.0, 60: 3.0, 100: 2.0})], 1)
    picture = draw([train, evaluation], Limits(0, 100), WIDTH, HEIGHT, Look())
    used = {style for row in picture.rows for style in styles(row)}
    assert {"line-0", "line-1"} <= used
    assert "loss 1" in plain(picture)[0]
    assert "eval_loss 2" in plain(picture)[0]


def test_smoothing_is_a_line_over_the_spread() -> None:
    noise = random.Random(1)
    values = {step: 2 + noise.gauss(0, 0.5) for step in range(2000)}
    smooth = drawn(values, 2000, Look(smoothing=0.9))
    used = [set(styles(row)) for row in smooth.rows[1:-1]]
    assert any("line-0" in row for row in used)
    rough_rows = [y for y, row in enumerate(used) if "raw-0" in row]
    line_rows = [y for y, row in enumerate(used) if "line-0" in row]
    assert len(line_rows) < len(rough_rows)
    (reading,) = smooth.readings
    assert reading.smoothed == pytest.approx(2, abs=0.3)


def test_curves_of_a_few_points_are_not_smoothed() -> None:
    curve = Curve("eval_loss", [series({10: 3.0, 20: 1.0})], 1, smooth=False)
    (reading,) = draw([curve], Limits(0, 20), WIDTH, HEIGHT, Look(smoothing=0.97)).readings
    assert reading.smoothed is None


def test_smoothing_does_not_depend_on_where_the_window_begins() -> None:
    values = {step: math.sin(step / 50) + 2 for step in range(4000)}
    curve = [Curve("loss", [series(values)], 0)]

    def at(low: float) -> float:
        look = Look(smoothing=0.9, cross=3000)
        (reading,) = draw(curve, Limits(low, low + 1000), WIDTH, HEIGHT, look).readings
        assert reading.smoothed is not None
        return reading.smoothed

    assert at(2100) == pytest.approx(at(2600), rel=0.02)


def test_a_logarithmic_chart_leaves_out_what_has_no_logarithm() -> None:
    picture = drawn({0: -1.0, 10: 0.0, 20: 1e-3, 30: 1e3}, 30, Look(log=True))
    assert picture.limits is not None
    assert picture.limits.low == pytest.approx(1e-3)
    assert picture.limits.high == pytest.approx(1e3)
    assert not any(line[GUTTER : GUTTER + 20].strip() for line in plain(picture)[1:-1])


def test_the_crosshair_reads_what_lies_there() -> None:
    values = {step: float(step) for step in range(101)}
    picture = drawn(values, 100, Look(cross=40))
    (reading,) = picture.readings
    assert reading.bucket.minimum <= 40 <= reading.bucket.maximum
    assert "step 40" in plain(picture)[0]
    assert sum("cross" in styles(row) for row in picture.rows[1:-1]) > HEIGHT / 2


def test_a_growing_chart_changes_only_where_it_grows() -> None:
    values = falling(400)
    curve = [Curve("loss", [buckets := series(values)], 0)]
    before = draw(curve, Limits(0, 1000), WIDTH, HEIGHT, Look())
    buckets.add(401, 1.5)
    after = draw(curve, Limits(0, 1000), WIDTH, HEIGHT, Look(), before.limits)
    cells = WIDTH - GUTTER
    for x, y, width in changes(before.rows, after.rows):
        assert y == 0 or abs(x - GUTTER - 0.4 * cells) < 3
        assert width <= 8


_POINTS = st.tuples(
    st.integers(0, 3), st.integers(-40, 30), st.floats(-5, 5), st.sampled_from([0, 0, 1])
)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(_POINTS, min_size=1, max_size=40),
    st.integers(2, 600),
    st.sampled_from([Look(), Look(smoothing=0.8), Look(log=True), Look(unicode=False)]),
    st.data(),
)
def test_what_is_drawn_upon_the_chart_before_is_what_is_drawn_anew(
    points: list[tuple[int, int, float, int]], most: int, look: Look, data: st.DataObject
) -> None:
    parts = [Buckets(most), Buckets(most), Buckets(64)]
    curves = [Curve("loss", parts[:2], 0), Curve("eval_loss", parts[2:], 1)]
    memory, newest, held = Memory(), 0, None
    for step in range(data.draw(st.integers(0, 900))):
        parts[0].add(step, math.sin(step / 40))
        newest = step
    for times, back, value, late in points:
        for _ in range(times):
            newest += 3
            parts[0].add(newest, value)
        parts[1 + late].add(max(0, newest + back), value)
        low = data.draw(st.sampled_from([0.0, 0.0, 0.0, newest / 2]))
        visible = Limits(low, low + 1000)
        upon = draw(curves, visible, WIDTH, HEIGHT, look, held, memory)
        anew = draw(curves, visible, WIDTH, HEIGHT, look, held)
        assert upon == anew
        held = anew.limits


def test_limits_hold_while_the_data_fits() -> None:
    first = drawn({0: 0.3, 10: 4.8}, 20)
    again = draw([Curve("loss", [series({0: 0.5, 10: 4.0})], 0)], Limits(0, 20), WIDTH, HEIGHT,
                 Look(), first.limits)  # fmt: skip
    assert again.limits == first.limits


def test_finer_points_take_the_place_of_coarse_ones() -> None:
    coarse = Buckets(4096, 256)
    for start in range(0, 10_240, 256):
        coarse.add(start, 1.0, 0.0, 2.0)
    fine = series(dict.fromkeys(range(2048, 4096), 1.0))
    found = Curve("loss", [fine, coarse], 0).within(1000, 6000, 4096)
    inside = [bucket for place, bucket in found if 2048 <= place < 4096]
    assert all(bucket.maximum == 1.0 for bucket in inside)
    assert len(inside) == 2048
    assert any(bucket.maximum == 2.0 for place, bucket in found if place < 1900)
    assert any(bucket.maximum == 2.0 for place, bucket in found if place > 4300)
    places = [place for place, _ in found]
    assert places == sorted(places)


def test_time_may_be_across() -> None:
    across = Across("time", [(0, 0.0), (100, 5400.0)])
    curve = Curve("loss", [series(falling(100))], 0, across)
    picture = draw([curve], Limits(0, 5400), WIDTH, HEIGHT, Look(cross=2700))
    assert "45m" in plain(picture)[0]
    assert "1h" in plain(picture)[-1]
    assert "by time" in plain(picture)[0]


def test_names_from_outside_command_no_terminal() -> None:
    curve = Curve("loss\x1b[2J\x07", [series(falling(10))], 0)
    picture = draw([curve], Limits(0, 10), WIDTH, HEIGHT, Look())
    assert all(character.isprintable() for line in plain(picture) for character in line)


def test_without_points_a_chart_says_so() -> None:
    assert any("no values yet" in line for line in plain(draw([], Limits(0, 1), 80, 9, Look())))


@pytest.mark.parametrize(
    ("width", "height"), [(1, 1), (10, 3), (23, 9), (24, 4), (25, 5), (400, 99)]
)
def test_any_size_can_be_drawn(width: int, height: int) -> None:
    picture = draw([Curve("loss", [series(falling(50))], 0)], Limits(0, 50), width, height, Look())
    assert len(picture.rows) == height
    assert {sum(cell_len(text) for text, _ in row) for row in picture.rows} == {width}


VALUES = st.dictionaries(
    st.integers(0, 2**40), st.floats(allow_nan=False, allow_infinity=False), max_size=40
)


@settings(max_examples=60)
@given(VALUES, st.floats(0, 1e12), st.floats(1e-3, 1e12), st.booleans(), st.sampled_from([0, 0.97]))
def test_any_values_can_be_drawn(
    values: dict[int, float], low: float, span: float, log: bool, smoothing: float
) -> None:
    curve = Curve("loss", [series(values, 16)], 0)
    look = Look(smoothing=smoothing, log=log, cross=low)
    picture = draw([curve], Limits(low, low + span), 40, 8, look)
    assert {sum(cell_len(text) for text, _ in row) for row in picture.rows} == {40}


# -- the view ------------------------------------------------------------------------------------


def test_the_crosshair_stays_in_sight() -> None:
    view = ChartView()
    view.cover([Curve("loss", [series(falling(500))], 0)], 1000)
    view.toggle_cross()
    assert view.cross == 500
    view.zoom(0.25)
    for _ in range(400):
        view.sideways(1, 100)
        assert view.visible.low <= (view.cross or 0) <= view.visible.high
    view.toggle_cross()
    assert view.cross is None


def test_another_kind_shows_everything_again() -> None:
    view = ChartView()
    view.cover([Curve("loss", [series(falling(500))], 0)], 1000)
    view.zoom(0.25)
    view.next_kind()
    assert view.kind == "epoch"
    assert not view.window.is_zoomed


# -- rows ----------------------------------------------------------------------------------------

TEXTS = st.text(st.sampled_from("ab 日é"), max_size=12)
ROWS = st.lists(st.lists(st.tuples(TEXTS, st.sampled_from(["", "x"])), max_size=4), max_size=4)


def cells(row: Row) -> list[tuple[str, str]]:
    return [(c, style) for text, style in row for c in text for _ in range(cell_len(c))]


@given(st.integers(0, 30), ROWS, ROWS)
def test_the_changes_turn_one_picture_into_the_other(
    width: int, one: list[Row], other: list[Row]
) -> None:
    height = min(len(one), len(other))
    old = [fitted(row, width) for row in one[:height]]
    new = [fitted(row, width) for row in other[:height]]
    screen = [cells(row) for row in old]
    for x, y, length in changes(old, new):
        screen[y][x : x + length] = cells(new[y])[x : x + length]
    assert screen == [cells(row) for row in new]


def test_equal_pictures_have_no_changes() -> None:
    assert list(changes([[("same", "a")]], [[("same", "a")]])) == []
    assert list(changes([[("same", "a")]], [[("sa", "a"), ("me", "a")]])) == []


@given(ROWS, st.integers(1, 20))
def test_wrapping_keeps_every_word_and_the_width(rows: list[Row], width: int) -> None:
    for row in rows:
        found = wrap(row, width)
        if width > 1:
            assert all(sum(cell_len(text) for text, _ in each) <= width for each in found)
        before = "".join(text for text, _ in row).replace(" ", "")
        after = "".join(text for each in found for text, _ in each).replace(" ", "")
        assert after == before


def test_wrapped_lines_are_indented_by_their_head() -> None:
    rows = wrap([("one two three", "")], 9, [("at ", "label")])
    assert ["".join(text for text, _ in row) for row in rows] == ["at one", "   two", "   three"]
