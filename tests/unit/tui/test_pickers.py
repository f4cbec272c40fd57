"""What the pickers find: models, folders, datasets and columns."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.trainers import demo
from luthier.trainers.data.formats import PARTS
from luthier.trainers.errors import LuthierError
from luthier.tui.forms import Form
from luthier.tui.pickers.browse import entries, place_of
from luthier.tui.pickers.inspection import Inspection, settings_for
from luthier.tui.pickers.mapping import AUTO, Columns, missing, parts_of, start
from luthier.tui.pickers.models import (
    cached_datasets,
    cached_models,
    folder_models,
    hub_cache,
    is_model,
    run_models,
)


def make_model(folder: Path, *, weights: int | None = 10, config: str | None = None) -> Path:
    folder.mkdir(parents=True)
    text = json.dumps({"architectures": ["LlamaForCausalLM"]}) if config is None else config
    (folder / "config.json").write_text(text)
    if weights is not None:
        (folder / "model.safetensors").write_bytes(b"x" * weights)
    return folder


def make_cached(cache: Path, name: str, commits: list[str], main: str | None) -> Path:
    folder = cache / f"models--{name.replace('/', '--')}"
    for commit in commits:
        blob = folder / "blobs" / f"blob-{commit}"
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(b"x" * 100)
        snapshot = make_model(folder / "snapshots" / commit, weights=None)
        (snapshot / "model.safetensors").symlink_to(blob)
    if main:
        (folder / "refs").mkdir(parents=True)
        (folder / "refs" / "main").write_text(main)
    return folder


# -- models ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"HF_HUB_CACHE": "/a"}, "/a"),
        ({"HF_HOME": "/b", "XDG_CACHE_HOME": "/c"}, "/b/hub"),
        ({"XDG_CACHE_HOME": "/c"}, "/c/huggingface/hub"),
        ({}, str(Path.home() / ".cache/huggingface/hub")),
    ],
)
def test_the_cache_is_where_the_hub_library_has_it(
    environment: dict[str, str], expected: str
) -> None:
    assert str(hub_cache(environment)) == expected


def test_cached_models_are_those_with_a_config(tmp_path: Path) -> None:
    make_cached(tmp_path, "owner/Second", ["abc"], "abc")
    make_cached(tmp_path, "gpt2", ["abc", "def"], None)
    make_cached(tmp_path, "owner/broken", [], "gone")
    (tmp_path / "datasets--owner--rows" / "snapshots" / "abc").mkdir(parents=True)
    (tmp_path / "models--stray").write_text("a file")
    found = cached_models(tmp_path)
    assert [model.name for model in found] == ["gpt2", "owner/Second"]
    assert {model.size for model in found} == {100}
    assert {model.kind for model in found} == {"LlamaForCausalLM"}
    assert cached_datasets(tmp_path) == ["owner/rows"]


def test_a_snapshot_without_weights_says_so(tmp_path: Path) -> None:
    folder = make_cached(tmp_path, "owner/name", ["abc"], "abc")
    (folder / "snapshots" / "abc" / "model.safetensors").unlink()
    (model,) = cached_models(tmp_path)
    assert (model.size, model.note) == (None, "no safetensors weights here")


@pytest.mark.parametrize("config", ["", "[]", "{", '{"architectures": 1}', "\xff"])
def test_a_damaged_config_does_not_hide_the_others(tmp_path: Path, config: str) -> None:
    make_model(tmp_path / "bad", config=config)
    make_model(tmp_path / "good")
    found = {Path(model.name).name: model for model in folder_models(tmp_path)}
    assert found["bad"].note == "config.json cannot be read"
    assert found["good"].note == ""


def test_folders_are_searched_to_a_depth_and_models_are_not_looked_into(tmp_path: Path) -> None:
    make_model(tmp_path / "a" / "b" / "near")
    make_model(tmp_path / "a" / "b" / "c" / "deep")
    make_model(tmp_path / "near2")
    make_model(tmp_path / "near2" / "inner")
    make_model(tmp_path / ".hidden" / "model")
    adapter = make_model(tmp_path / "adapter")
    (adapter / "adapter_config.json").write_text("{}")
    found = [Path(model.name).name for model in folder_models(tmp_path)]
    assert found == ["near", "near2"]
    assert not is_model(adapter)


def test_a_search_can_be_given_up(tmp_path: Path) -> None:
    for number in range(5):
        make_model(tmp_path / str(number))
    asked: list[str] = []

    def stop() -> bool:
        asked.append("")
        return len(asked) > 3

    assert len(list(folder_models(tmp_path, stop=stop))) == 2


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    assert cached_models(tmp_path / "none") == []
    assert list(folder_models(tmp_path / "none")) == []
    assert run_models(tmp_path / "none") == []


def test_whole_models_that_runs_made_are_found_and_adapters_are_not(tmp_path: Path) -> None:
    merged = make_model(tmp_path / "20260101-000000-abcd" / "artifacts" / "merged")
    adapter = tmp_path / "20260101-000000-abcd" / "artifacts" / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    assert [model.name for model in run_models(tmp_path)] == [str(merged)]


def test_the_demo_model_is_one() -> None:
    (model,) = folder_models(demo.MODEL)
    assert model.size is not None
    assert model.size > 1_000_000


# -- folders ---------------------------------------------------------------------------------


def test_a_folder_lists_the_way_up_folders_and_what_is_looked_for(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / "split").mkdir()
    for name in ("train.csv", "test.csv", "notes.csv"):
        (tmp_path / "split" / name).write_text("a\n1\n")
    (tmp_path / "rows.JSONL").write_text("{}")
    (tmp_path / "empty.csv").touch()
    (tmp_path / "readme.txt").write_text("no rows")
    make_model(tmp_path / "model")
    found = entries(tmp_path, "data")
    assert [(entry.name, entry.kind) for entry in found] == [
        ("..", "up"),
        ("inner", "folder"),
        ("model", "folder"),
        ("split", "choice"),
        ("empty.csv", "choice"),
        ("rows.JSONL", "choice"),
    ]
    notes = {entry.name: entry.note for entry in found}
    assert notes["split"] == "splits train, test"
    assert notes["empty.csv"] == "empty"
    models = [entry.name for entry in entries(tmp_path, "model") if entry.kind == "choice"]
    assert models == ["model"]
    assert ".git" in [entry.name for entry in entries(tmp_path, "data", hidden=True)]


def test_the_top_has_no_way_up_and_a_missing_folder_is_told(tmp_path: Path) -> None:
    assert "up" not in [entry.kind for entry in entries(Path("/"), "model")]
    with pytest.raises(LuthierError, match="No such file"):
        entries(tmp_path / "none", "data")


def test_links_that_lead_nowhere_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "gone.csv").symlink_to(tmp_path / "nothing.csv")
    assert [entry.kind for entry in entries(tmp_path, "data")] == ["up"]


@pytest.mark.parametrize(
    ("written", "expected"), [("", ""), ("in", ""), ("inner/x/y", "inner"), ("inner", "inner")]
)
def test_a_path_being_typed_shows_the_nearest_folder(
    tmp_path: Path, written: str, expected: str
) -> None:
    (tmp_path / "inner").mkdir()
    assert place_of(written, tmp_path) == tmp_path / expected
    assert place_of(str(tmp_path / written), Path("/")) == tmp_path / expected


# -- looking ---------------------------------------------------------------------------------


def test_a_look_tells_format_columns_and_rows() -> None:
    report = Inspection(str(demo.TRAIN), "llm-sft", {}).run()
    assert report.format == "prompt-completion"
    assert [segment.trained for segment in report.rows[0].segments] == [False, True]
    assert report.problems == []


def test_the_settings_of_the_form_decide_how_rows_are_seen(tmp_path: Path) -> None:
    rows = tmp_path / "rows, of --mine.csv"
    rows.write_text('frage,"antwort: kurz"\nwas,das\n' + "wer,der\n" * 3)
    form = Form("llm-sft")
    form.set("data.column_mapping", {"prompt": "frage", "completion": "antwort: kurz"})
    form.set("data.system_prompt", "Sei kurz:\n'ja'")
    form.set("data.validation_fraction", 2)
    form.set("peft.r", 4)
    settings = settings_for(form, form.check())
    assert set(settings) == {"data.column_mapping", "data.system_prompt"}
    report = Inspection(str(rows), "llm-sft", settings).run()
    assert report.parts == {"prompt": "frage", "completion": "antwort: kurz"}
    assert report.problems == []


def test_what_is_wrong_with_the_data_is_in_the_report(tmp_path: Path) -> None:
    report = Inspection(str(tmp_path / "none.csv"), "llm-sft", {}).run()
    assert "no such file" in str(report.problems[0])
    assert report.format is None


def test_a_look_that_is_given_up_ends_its_process() -> None:
    # With a tokenizer it takes seconds.
    inspection = Inspection(str(demo.TRAIN), "llm-sft", {}, model=str(demo.MODEL))
    errors: list[LuthierError] = []

    def look() -> None:
        with pytest.raises(LuthierError) as caught:
            inspection.run()
        errors.append(caught.value)

    thread = threading.Thread(target=look)
    thread.start()
    deadline = time.monotonic() + 30
    while inspection._process is None and time.monotonic() < deadline:
        time.sleep(0.01)
    inspection.cancel()
    thread.join(timeout=30)
    assert "given up" in str(errors[0])
    assert inspection._process is not None
    assert inspection._process.poll() is not None


def test_a_look_given_up_before_it_began_starts_nothing() -> None:
    inspection = Inspection(str(demo.TRAIN), "llm-sft", {})
    inspection.cancel()
    with pytest.raises(LuthierError, match="given up"):
        inspection.run()


# -- columns ---------------------------------------------------------------------------------


def test_parts_to_choose_columns_for_follow_from_the_format() -> None:
    columns = Columns(("q", "a"), None, {})
    assert parts_of(AUTO, columns) == ("prompt", "completion", "system")
    assert parts_of("text", columns) == ("text",)
    assert parts_of(AUTO, Columns(("c",), "messages", {})) == ("messages", "system", "tools")


def test_a_choice_starts_with_what_was_found_and_said() -> None:
    columns = Columns(("q", "a", "s"), "prompt-completion", {"prompt": "q", "completion": "a"})
    found = start(AUTO, columns, {"system": "s", "prompt": "s"})
    assert found == {"prompt": "s", "completion": "a", "system": "s"}


def test_what_a_choice_lacks_is_one_sentence() -> None:
    columns = Columns(("q", "a"), None, {})
    assert missing(AUTO, columns, {}) == "prompt and completion need a column"
    assert missing(AUTO, columns, {"prompt": "q"}) == "completion needs a column"
    assert missing(AUTO, columns, {"prompt": "q", "completion": "q"}) == "q plays two parts"
    assert missing(AUTO, columns, {"prompt": "q", "completion": "a"}) == ""


@given(st.sampled_from(sorted(PARTS)), st.data())
def test_every_complete_choice_is_a_mapping_that_the_reader_takes(
    name: str, data: st.DataObject
) -> None:
    from luthier.trainers.data.formats import recognise
    from luthier.trainers.data.table import Table
    from luthier.trainers.spec import TextDataSection

    parts = PARTS[name]
    columns = tuple(f"column {number}" for number in range(len(parts)))
    order = data.draw(st.permutations(columns))
    mapping = dict(zip(parts, order, strict=True))
    assert missing(name, Columns(columns, None, {}), mapping) == ""
    table = Table("t", columns, [dict.fromkeys(columns, "x")], [1])
    section = TextDataSection(path="x", format=name, column_mapping=mapping)  # type: ignore[arg-type]
    found = recognise(table, section)
    assert (found.format, found.parts) == (name, mapping)
