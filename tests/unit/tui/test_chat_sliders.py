"""The values by which tokens are chosen, as sliders."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.agent.chat.values import NAMES, with_setting, with_value
from luthier.agent.models import Sampling
from luthier.tui.chatting.sliders import (
    NAMED,
    SLIDERS,
    Slider,
    in_words,
    nudged,
    share,
    shown,
    value_of,
)

BY_NAME = {slider.name: slider for slider in SLIDERS}


def test_every_value_has_a_slider_whose_stops_it_takes() -> None:
    assert tuple(BY_NAME) == NAMES
    for slider in SLIDERS:
        assert list(slider.stops) == sorted(set(slider.stops))
        for stop in (slider.stops[0], slider.stops[-1]):
            with_value(Sampling(), slider.name, f"{stop:g}")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("temperature", "0.70"),
        ("top_p", "0.90"),
        ("top_k", "off"),
        ("repetition_penalty", "off"),
        ("max_new_tokens", "256"),
        ("seed", "none"),
    ],
)
def test_what_counts_is_shown_though_nobody_chose_it(name: str, words: str) -> None:
    assert shown(Sampling(), BY_NAME[name]) == words
    assert not value_of(Sampling(), BY_NAME[name])[1]


def test_greedy_is_no_number() -> None:
    assert shown(Sampling(setting="deterministic"), BY_NAME["temperature"]) == "greedy"


def test_a_slider_starts_from_the_ready_set() -> None:
    sampling = nudged(Sampling(setting="creative"), BY_NAME["temperature"], -2)
    assert sampling.temperature == pytest.approx(0.9)
    assert in_words(sampling) == "creative, temperature 0.90"


def test_a_typed_value_between_stops_goes_to_the_next_one() -> None:
    sampling = with_value(Sampling(), "temperature", "0.72")
    assert shown(sampling, BY_NAME["temperature"]) == "0.72"
    assert nudged(sampling, BY_NAME["temperature"], 1).temperature == pytest.approx(0.75)
    assert nudged(sampling, BY_NAME["temperature"], -1).temperature == pytest.approx(0.70)


def test_a_typed_value_beyond_the_stops_stands_at_the_end() -> None:
    sampling = with_value(Sampling(), "temperature", "4.5")
    assert share(sampling, BY_NAME["temperature"]) == 1.0
    assert nudged(sampling, BY_NAME["temperature"], 1).temperature == 4.5


def test_a_ready_set_takes_single_values_back_but_the_length() -> None:
    sampling = with_value(with_value(Sampling(), "top_k", "7"), "max_new_tokens", "9")
    assert with_setting(sampling, "creative") == Sampling(setting="creative", max_new_tokens=9)


@pytest.mark.parametrize("word", ["", "none", "default"])
def test_a_value_is_taken_back(word: str) -> None:
    for name in NAMES:
        assert with_value(with_value(Sampling(), name, "1"), name, word) == Sampling()


@given(
    st.sampled_from(NAMED),
    st.sampled_from(SLIDERS),
    st.lists(st.integers(-7, 7).filter(bool), max_size=20),
)
def test_however_it_is_moved_a_slider_stays_in_its_range(
    setting: str, slider: Slider, moves: list[int]
) -> None:
    sampling = with_setting(Sampling(), setting)
    for steps in moves:
        sampling = nudged(sampling, slider, steps)
        value, own = value_of(sampling, slider)
        assert value is not None
        assert slider.stops[0] <= value <= slider.stops[-1]
        assert 0 <= share(sampling, slider) <= 1
        assert own or slider.name == "max_new_tokens"
