"""The tour is what Auto says today."""

from __future__ import annotations

from pathlib import Path

from luthier.presets import tour
from luthier.trainers.spec import GradientSpec

PAGE = Path(__file__).parents[2] / "docs" / "presets-tour.md"


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text(encoding="utf-8") == tour.markdown(), "stale: run make docs"


def test_it_has_five_models_on_five_cards() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert all(text.count(f"### {model}\n") == len(tour.PRESETS) for model in tour.MODELS)
    rows = [line for line in text.splitlines() if line.startswith("| ") and " GB |" in line]
    assert len(rows) == 25 * len(tour.PRESETS)


def test_more_memory_is_never_slower() -> None:
    for model in tour.MODELS:
        found = [tour.tour_solution("llm-sft/balanced", model, card) for card in tour.CARDS]
        fitting = [solution.faster for solution in found if solution.fits]
        assert fitting == sorted(fitting)
        for solution in found:
            assert isinstance(solution.spec, GradientSpec)
            assert solution.spec.training.learning_rate == 2e-4
