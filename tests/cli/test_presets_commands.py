"""presets and estimate as people call them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from luthier.presets import find_preset
from luthier.trainers import demo
from luthier.trainers.spec.file import load_spec

from .conftest import Luthier, end_agent, prepare

SPEC = f"""\
task: llm-sft
model: {{name_or_path: {demo.MODEL}}}
data: {{path: data.jsonl}}
launch: {{devices: cpu}}
"""


@pytest.fixture(scope="module")
def estimating_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One home with an agent for every question here."""
    home = tmp_path_factory.mktemp("estimating") / "home"
    prepare(home)
    yield home
    end_agent(home)


@pytest.fixture
def ask(estimating_home: Path, enter: Callable[[Path], Luthier]) -> Luthier:
    """Calls a command with that home, in a folder with a spec."""
    command = enter(estimating_home)
    Path("spec.yaml").write_text(SPEC)
    Path("data.jsonl").write_text('{"prompt": "a", "completion": "b"}\n' * 20)
    return command


# -- presets, which need no agent --------------------------------------------------------------


def test_presets_are_listed_plainly_and_by_task(luthier: Luthier) -> None:
    plain = luthier("presets")
    assert plain.code == 0
    assert "llm-sft/balanced" in plain.out
    one = luthier("presets", "list", "llm-generic")
    assert "llm-generic/balanced" in one.out
    assert "llm-sft/" not in one.out
    names = [preset["name"] for preset in luthier("presets", "list", "llm-sft", "--json").json]
    assert "llm-sft/size-70b" in names


def test_a_name_alone_shows_the_preset(luthier: Luthier) -> None:
    short = luthier("presets", "llm-sft/balanced")
    assert short == luthier("presets", "show", "llm-sft/balanced")
    assert "Balanced" in short.out
    joined = luthier("presets", "llm-sft/balanced+llama", "--json").json
    assert joined["settings"]["peft"]["target_modules"][0] == "q_proj"


def test_explain_says_why_and_what_each_setting_means(luthier: Luthier) -> None:
    said = luthier("presets", "explain", "llm-sft/smallest-memory")
    for words in ("trades", "numbers from", "arXiv 2305.14314", "model.load_in_4bit", "QLoRA"):
        assert words in said.out
    rows = luthier("presets", "explain", "llm-sft/smallest-memory", "--json").json["explained"]
    assert {"key", "value", "default", "meaning"} == set(rows[0])


def test_a_copy_is_edited_checked_and_used(
    luthier: Luthier, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = luthier("presets", "copy", "llm-sft/balanced", "evening")
    assert made.code == 0
    file = home / "presets" / "llm-sft" / "evening.yaml"
    assert str(file) in made.out
    editor = tmp_path / "editor.py"
    editor.write_text(
        "import sys, pathlib\np = pathlib.Path(sys.argv[1])\n"
        "p.write_text(p.read_text().replace('r: 16', 'r: 4'))\n"
    )
    monkeypatch.setenv("EDITOR", f"{sys.executable} {editor}")
    assert luthier("presets", "edit", "llm-sft/evening").out.startswith("llm-sft/evening is kept")
    assert "r: 4" in file.read_text()
    assert "as it was" in luthier("presets", "edit", "llm-sft/evening").out
    assert luthier("presets", "validate").out == "1 preset is in order.\n"
    assert luthier("init", "llm-sft", "--preset", "evening", "-o", "mine.yaml").code == 0
    assert load_spec(Path("mine.yaml")).model_dump()["peft"]["r"] == 4


def test_an_edit_that_cannot_work_is_told_and_nothing_is_kept(
    luthier: Luthier, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    luthier("presets", "copy", "llm-sft/balanced", "mine")
    file = home / "presets" / "llm-sft" / "mine.yaml"
    before = file.read_text()
    editor = tmp_path / "editor.py"
    editor.write_text("import sys\nopen(sys.argv[1], 'a').write('settngs: 1\\n')\n")
    monkeypatch.setenv("EDITOR", f"{sys.executable} {editor}")
    refused = luthier("presets", "edit", "llm-sft/mine")
    assert refused.code == 2
    assert "unknown key settngs" in refused.errors[0]
    assert file.read_text() == before


def test_damaged_presets_are_told_and_left_out(luthier: Luthier, home: Path) -> None:
    folder = home / "presets" / "llm-sft"
    folder.mkdir(parents=True)
    (folder / "bad.yaml").write_text("title: [")
    listed = luthier("presets")
    assert listed.code == 0
    assert "bad.yaml:1: not valid YAML" in listed.err
    checked = luthier("presets", "validate")
    assert checked.code == 2
    assert "bad.yaml" in checked.errors[0]
    assert luthier("presets", "validate", "--json").json["problems"]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        ("presets llm-sft/balancd", "Did you mean llm-sft/balanced?"),
        ("presets show balanced", "There is no preset 'balanced'."),
        ("presets list llm-stf", "There is no task 'llm-stf'. Did you mean llm-sft?"),
        ("presets edit llm-sft/balanced", "luthier presets copy llm-sft/balanced NEW"),
        ("presets copy llm-sft/balanced A", "will not do as a preset's name"),
        ("presets copy llm-sft/balanced llm-none/x", "There is no task 'llm-none'"),
        ("presets shw", "No such command 'shw'"),
        ("estimate none.yaml", "none.yaml: there is no such file."),
        ("presets fit none.yaml", "none.yaml: there is no such file."),
    ],
)
def test_mistakes_get_a_sentence(luthier: Luthier, call: str, sentence: str) -> None:
    refused = luthier(*call.split())
    assert (refused.code, refused.out) == (2, "")
    assert sentence in refused.errors[0]


# -- estimate and fit --------------------------------------------------------------------------


def test_an_estimate_is_shown_part_by_part(ask: Luthier) -> None:
    said = ask("estimate", "spec.yaml", "--no-data")
    assert said.code == 0
    for words in ("parameters", "free", "fits", "to spare", "Activations", "quick"):
        assert words in said.out
    found = ask("estimate", "spec.yaml", "--no-data", "--json").json
    assert found["fits"]
    assert found["device"]["kind"] == "cpu"


def test_what_does_not_fit_says_what_is_missing_and_what_would(ask: Luthier) -> None:
    large = ["--set", "training.per_device_train_batch_size=4096"]
    said = ask("estimate", "spec.yaml", "--no-data", "--memory", "2", *large)
    assert said.code == 2
    assert "are missing" in said.out
    assert "micro-batch 2048" in said.out
    assert "luthier presets fit spec.yaml" in said.out


def test_fit_writes_a_spec_that_fits(ask: Luthier) -> None:
    large = ["--set", "training.per_device_train_batch_size=4096"]
    told = ["presets", "fit", "spec.yaml", "--no-data", "--memory", "2"]
    said = ask(*told, *large, "-o", "fitted.yaml")
    assert said.code == 0
    assert "per_device_train_batch_size 4096 →" in said.out
    assert "Held: 4096 rows to a step" in said.out
    text = Path("fitted.yaml").read_text()
    assert text.startswith("# Auto, for ")
    again = ask("estimate", "fitted.yaml", "--no-data", "--memory", "2")
    assert again.code == 0


def test_what_is_kept_stays_and_then_nothing_fits(ask: Luthier) -> None:
    large = ["--set", "training.per_device_train_batch_size=4096"]
    keep = ["--keep", "training.per_device_train_batch_size"]
    said = ask(
        "presets", "fit", "spec.yaml", "--no-data", "--memory", "0.7", *large, *keep, "--json"
    )
    assert said.code == 2
    assert said.json["suggestions"][-1]["kind"] == "memory"


def test_the_assumed_card_needs_its_memory(ask: Luthier) -> None:
    refused = ask("estimate", "spec.yaml", "--device", "cuda")
    assert refused.errors == [
        "--device and --count describe a card that is assumed. Add --memory GIB."
    ]


def test_a_run_is_made_to_fit_before_it_is_queued(ask: Luthier) -> None:
    Path("spec.yaml").write_text(SPEC + "training: {per_device_train_batch_size: 4096}\n")
    limit = ["--set", "launch.memory_limit=2"]
    said = ask("run", "spec.yaml", "--preset", "auto", "--name", "endless", *limit)
    assert said.code == 0
    assert "Auto: per_device_train_batch_size 4096 →" in said.err
    run = said.out.split()[0]
    training = ask("show", run, "--json").json["spec"]["training"]
    rows = training["per_device_train_batch_size"] * training["gradient_accumulation_steps"]
    assert rows == 4096
    assert training["per_device_train_batch_size"] < 4096


def test_a_starter_spec_is_made_for_this_machine(ask: Luthier) -> None:
    text = ask("init", "llm-sft", "--preset", "auto", "-o", "-")
    if text.code == 2:
        # The task's default model is neither here nor in the model list.
        assert find_preset("llm-sft/balanced").name in text.err or "SmolLM2" in text.err
        return
    assert "Preset llm-sft/auto: Balanced as it fits" in text.out
    assert json.loads(ask("init", "llm-sft", "--preset", "auto", "-o", "-", "--json").out)["yaml"]
