"""The model list on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from luthier.presets.catalog import models


def test_the_whole_list_has_what_decides(luthier: Any) -> None:
    rows = luthier("models", "--json").json
    assert len(rows) == len(models())
    assert {"id", "parameters", "context", "licence", "gated", "cached"} <= set(rows[0])
    assert not any(row["cached"] for row in rows)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["qwen3", "apache"], {"Qwen/Qwen3-0.6B", "Qwen/Qwen3-8B"}),
        (["smollm2", "135m"], {"HuggingFaceTB/SmolLM2-135M"}),
        (["--task", "image-object-detection"], {"facebook/detr-resnet-50"}),
    ],
)
def test_words_and_task_narrow_it(luthier: Any, words: list[str], expected: set[str]) -> None:
    found = {row["id"] for row in luthier("models", *words, "--json").json}
    assert expected <= found
    assert len(found) < len(models()) / 3


def test_a_whole_id_is_one_model(luthier: Any) -> None:
    shown = luthier("models", "google/gemma-2-2b").out
    assert "gated" in shown
    assert "attn_implementation must be eager" in " ".join(shown.split())
    assert "model.name_or_path: google/gemma-2-2b" in shown


def test_a_model_in_the_cache_is_here(
    luthier: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    cached = tmp_path / "hub" / "hub" / "models--openai-community--gpt2"
    snapshot = cached / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("abc")
    (row,) = luthier("models", "--cached", "--json").json
    assert (row["id"], row["cached"]) == ("openai-community/gpt2", True)


def test_nothing_found_says_that_any_model_will_do(luthier: Any) -> None:
    assert "model.name_or_path" in luthier("models", "no-such-model").out


def test_a_wrong_task_is_told(luthier: Any) -> None:
    refused = luthier("models", "--task", "llm-stf")
    assert refused.code == 2
    assert "llm-sft" in refused.errors[0]
