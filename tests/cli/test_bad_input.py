"""What a person may get wrong, each with the one sentence that says what, where and how to mend."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from luthier.trainers.registry import tasks

if TYPE_CHECKING:
    from .conftest import Luthier

SFT = "task: llm-sft\nmodel: {name_or_path: m}\ndata: {path: d.jsonl}\n"
QUANTISED = "task: llm-sft\nmodel: {name_or_path: m, load_in_4bit: true}\ndata: {path: d}\n"
PROMPTED = "task: llm-sft\nmodel: {name_or_path: m}\ndata: {path: d, "
SET_FORM = "not of the form section.key=value. For example --set training.max_steps=10."

# The text of spec.yaml, and what `luthier validate spec.yaml` says.
SPECS: dict[str, tuple[str, str]] = {
    "no task": (
        "model: {}",
        f"spec.yaml: task is missing; choose one of {', '.join(tasks())}",
    ),
    "misspelt task": (
        "task: llm-sftt",
        "spec.yaml:1: task: There is no task 'llm-sftt'. Did you mean llm-sft?",
    ),
    "task is a list": ("task: [1]", "spec.yaml:1: task must be a name such as llm-sft"),
    "empty": ("", "spec.yaml: the spec is empty; write one with: luthier init TASK"),
    "a list": ("- a\n- b", "spec.yaml: a spec is a mapping of sections (key: value lines)"),
    "misspelt section": (
        f"{SFT}trainig: {{num_train_epochs: 1}}",
        "spec.yaml:4: unknown key trainig; did you mean training?",
    ),
    "misspelt setting": (
        f"{SFT}training:\n  seed: 1\n  learning_rat: 1",
        "spec.yaml:6: unknown key training.learning_rat; did you mean training.learning_rate?",
    ),
    "setting outside its section": (
        f"{SFT}learning_rate: 1e-4",
        "spec.yaml:4: unknown key learning_rate; did you mean training.learning_rate?",
    ),
    "section given twice": (
        f"{SFT}peft: {{r: 1}}\npeft: {{lora_alpha: 2}}",
        "spec.yaml:5: peft stands twice; keep one",
    ),
    "negative learning rate": (
        f"{SFT}training: {{learning_rate: -1}}",
        "spec.yaml:4: training.learning_rate must be greater than 0, not -1",
    ),
    "word for a number": (
        f"{SFT}training: {{learning_rate: fast}}",
        "spec.yaml:4: training.learning_rate must be a number, not 'fast'",
    ),
    "fraction of a step": (
        f"{SFT}training: {{max_steps: 1.5}}",
        "spec.yaml:4: training.max_steps must be a whole number, not 1.5",
    ),
    "no batch": (
        f"{SFT}training: {{per_device_train_batch_size: 0}}",
        "spec.yaml:4: training.per_device_train_batch_size must be greater than or equal to 1, "
        "not 0",
    ),
    "number for a section": (
        f"{SFT}training: 3",
        "spec.yaml:4: training must be a section (key: value lines), not 3",
    ),
    "unknown method": (
        f"{SFT}peft: {{method: lorra}}",
        "spec.yaml:4: peft.method must be none, lora, dora, ia3 or prompt-tuning, not 'lorra'",
    ),
    "unknown tracker": (
        f"{SFT}training: {{report_to: [wandbb]}}",
        "spec.yaml:4: training.report_to.0 must be tensorboard, wandb, mlflow or trackio, "
        "not 'wandbb'",
    ),
    "tab": (
        f"{SFT}training:\n\tseed: 1",
        "spec.yaml:5: not valid YAML: found character '\\t' that cannot start any token",
    ),
    "brace left open": (
        f"{SFT}training: {{",
        "spec.yaml:4: not valid YAML: expected the node content, but found '<stream end>'",
    ),
    "quantised and trained whole": (
        f"{QUANTISED}peft: {{method: none}}",
        "spec.yaml:2: model.load_in_4bit: a quantised model cannot be trained whole; set "
        "peft.method to lora",
    ),
    "two quantisations": (
        QUANTISED.replace("true", "true, load_in_8bit: true"),
        "spec.yaml:2: model.load_in_8bit: choose load_in_4bit or load_in_8bit, not both",
    ),
    "rslora without lora": (
        f"{SFT}peft: {{method: none, use_rslora: true}}",
        "spec.yaml:4: peft.use_rslora: needs method lora or dora, not none",
    ),
    "merge without adapter": (
        f"{SFT}output: {{merge_adapter: true}}\npeft: {{method: none}}",
        "spec.yaml:4: output.merge_adapter: nothing to merge with peft.method none",
    ),
    "push to nowhere": (
        f"{SFT}output: {{push_to_hub: true}}",
        "spec.yaml:4: output.hub_model_id: push_to_hub needs the repository, owner/name",
    ),
    "push while offline": (
        f"{SFT}output: {{push_to_hub: true, hub_model_id: a/b}}\nlaunch: {{offline: true}}",
        "spec.yaml:4: output.push_to_hub: cannot upload with launch.offline true",
    ),
    "one process is two": (
        f"{SFT}launch: {{strategy: single, processes: 2}}",
        "spec.yaml:4: launch.strategy: single is one process, but launch.processes is 2",
    ),
    "device twice": (
        f"{SFT}launch: {{devices: [0, 0]}}",
        "spec.yaml:4: launch.devices: device numbers are distinct and not negative",
    ),
    "more processes than devices": (
        f"{SFT}launch: {{devices: [0], processes: 2}}",
        "spec.yaml:4: launch.processes: 2 processes need as many devices, 1 named",
    ),
    "fsdp settings without fsdp": (
        f"{SFT}launch: {{fsdp_config: {{a: 1}}}}",
        "spec.yaml:4: launch.fsdp_config: needs launch.strategy fsdp",
    ),
    "early stopping without evaluation": (
        f"{SFT}evaluation: {{strategy: 'no', early_stopping_patience: 2}}",
        "spec.yaml:4: evaluation.early_stopping_patience: needs evaluation.strategy steps or epoch",
    ),
    "best model without matching saves": (
        f"{SFT}evaluation: {{load_best_model_at_end: true}}",
        "spec.yaml: training.save_strategy: must be epoch like evaluation.strategy when "
        "load_best_model_at_end is true",
    ),
    "weights with packing": (
        f"{PROMPTED}weight_column: w}}\ntraining: {{packing: true}}",
        "spec.yaml:4: training.packing: packed rows cannot have weights; turn packing off",
    ),
    "prompt without completion": (
        f"{PROMPTED}prompt_template: '{{q}}'}}",
        "spec.yaml:3: data.completion_template: a prompt template or function needs a completion "
        "template, function or column",
    ),
    "function without its file": (
        f"{PROMPTED}prompt_function: nonsense, completion_template: x}}",
        "spec.yaml:3: data.prompt_function: is written file.py:name",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "sentence"), SPECS.values(), ids=SPECS)
def test_a_wrong_spec(luthier: Luthier, text: str, sentence: str) -> None:
    Path("spec.yaml").write_text(text)
    refused = luthier("validate", "spec.yaml")
    assert (refused.code, refused.out, refused.errors) == (2, "", [sentence])


@pytest.mark.parametrize(("text", "sentence"), SPECS.values(), ids=SPECS)
def test_a_wrong_spec_as_json(luthier: Luthier, text: str, sentence: str) -> None:
    Path("spec.yaml").write_text(text)
    refused = luthier("validate", "spec.yaml", "--json")
    (problem,) = refused.json["problems"]
    assert refused.code == 2
    assert refused.json["valid"] is False
    assert f"{problem['where']}: {problem['message']}" == sentence


def test_every_mistake_of_a_spec_is_told_at_once(luthier: Luthier) -> None:
    Path("spec.yaml").write_text("task: llm-sft\npeft: {r: 0}\n")
    assert luthier("validate", "spec.yaml").errors == [
        "spec.yaml: data is missing",
        "spec.yaml: model is missing",
        "spec.yaml:2: peft.r must be greater than or equal to 1, not 0",
    ]


# What `--set` says on a spec that is right.
OVERRIDES: dict[str, str] = {
    "training.max_steps": f"--set training.max_steps: {SET_FORM}",
    "=3": f"--set =3: {SET_FORM}",
    "..a=1": f"--set ..a=1: {SET_FORM}",
    "training.max_steps=[": "--set training.max_steps=[: '[' is not a YAML value.",
    "training.max_step=3": "--set: unknown key training.max_step; did you mean training.max_steps?",
    "training.max_steps=many": "--set: training.max_steps must be a whole number, not 'many'",
    "training=3": "--set: training must be a section (key: value lines), not 3",
}


@pytest.mark.parametrize(("override", "sentence"), OVERRIDES.items(), ids=OVERRIDES)
@pytest.mark.parametrize("command", ["validate", "run"])
def test_a_wrong_override(luthier: Luthier, command: str, override: str, sentence: str) -> None:
    Path("spec.yaml").write_text(SFT)
    refused = luthier(command, "spec.yaml", "--set", override)
    assert (refused.code, refused.out, refused.errors) == (2, "", [sentence])


# File name, its bytes (None: no such file), and what `luthier data inspect` says about it.
DATA: dict[str, tuple[str, bytes | None, str]] = {
    "no file": ("no.csv", None, "no.csv: there is no such file or folder; check data.path"),
    "empty file": ("empty.jsonl", b"", "empty.jsonl: is empty"),
    "torn line": (
        "torn.jsonl",
        b'{"prompt": "a", "completion": "b"}\n{"prompt": \n',
        "torn.jsonl line 2: is not valid JSON: Expecting value (column 11)",
    ),
    "numbers for rows": ("list.json", b"[1, 2]", "list.json row 1: is a number, not an object"),
    "unknown ending": (
        "file.exe",
        b"x",
        "file.exe: has the unknown extension '.exe'; write the rows as .csv, .tsv, .jsonl, .json, "
        ".parquet, .arrow, .feather, .sqlite, .sqlite3, .db",
    ),
    "unknown columns": (
        "columns.csv",
        b"q,a\nhi,yo\n",
        "columns.csv: the columns q, a fit no known format; say which is which with "
        "data.column_mapping, such as {prompt: question, completion: answer}",
    ),
    "not UTF-8": ("wide.csv", b"\xff\xfea\x00", "wide.csv: is UTF-16 text; save it as UTF-8"),
    "unknown role": (
        "role.jsonl",
        b'{"messages": [{"role": "robot", "content": "x"}]}\n',
        "role.jsonl line 1: messages has the unknown role 'robot'; use system, user or assistant",
    ),
    "number for text": (
        "types.jsonl",
        b'{"text": 3}\n',
        "types.jsonl line 1: text is a number, not text; write it as text, or use a template "
        "with {text}",
    ),
}


@pytest.mark.parametrize(("name", "content", "sentence"), DATA.values(), ids=DATA)
def test_wrong_data(luthier: Luthier, name: str, content: bytes | None, sentence: str) -> None:
    if content is not None:
        Path(name).write_bytes(content)
    refused = luthier("data", "inspect", name)
    assert (refused.code, refused.errors) == (2, [sentence])


@dataclass(frozen=True)
class Misuse:
    """A call that cannot be carried out. No agent is needed to say so."""

    call: str
    sentence: str
    code: int = 2


MISUSES = [
    Misuse("rn", "No such command 'rn'. Did you mean 'run', 'runs'? See: luthier --help"),
    Misuse("xyzzy", "No such command 'xyzzy'. See: luthier --help"),
    Misuse("agent stat", "No such command 'stat'. Did you mean 'start', 'status'? "
           "See: luthier agent --help"),
    Misuse("runs --jsn", "No such option: --jsn; did you mean --json? See: luthier runs --help"),
    Misuse("runs --debug", "--debug goes before the command: luthier --debug runs"),
    Misuse("run", "Missing argument 'SPEC'. See: luthier run --help"),
    Misuse("runs --limit x", "Invalid value for '--limit' / '-n': not a whole number. "
           "See: luthier runs --help"),
    Misuse("runs --limit 0", "Invalid value for '--limit' / '-n': it must be greater than or "
           "equal to 1. See: luthier runs --help"),
    Misuse("runs --state runing", "--state runing: there is no such state. Did you mean running?"),
    Misuse("show a b", "Got unexpected extra argument (b). See: luthier show --help"),
    Misuse("validate no.yaml", "no.yaml: there is no such file."),
    Misuse("validate .", ". is a folder; name the spec file in it."),
    Misuse("run no.yaml --wait", "no.yaml: there is no such file."),
    Misuse("init llm-sftt", "There is no task 'llm-sftt'. Did you mean llm-sft?"),
    Misuse("init llm-sft --preset balancd",
           "There is no preset 'llm-sft/balancd'. Did you mean llm-sft/balanced?"),
    Misuse("init llm-sft --preset llm-generic/balanced",
           "The preset llm-generic/balanced is for llm-generic, not llm-sft. List them with: "
           "luthier presets"),
    Misuse("init llm-sft -o no/such/f.yaml", "no/such/f.yaml: No such file or directory."),
    Misuse("tasks speech", f"There is no task 'speech'. Known tasks: {', '.join(tasks())}."),
    Misuse("presets llm-sft/balancd",
           "There is no preset 'llm-sft/balancd'. Did you mean llm-sft/balanced?"),
    Misuse("chat", "Name the runs to talk to, or a model with --model."),
    Misuse("chat x --model y", "Name the runs to talk to, or a model with --model."),
    Misuse("chat x --set hot", "--set hot: not of the form name=value, such as temperature=0.7."),
    Misuse("chat x --set heat=9", "--set heat: choose one of temperature, top_p, top_k, "
           "repetition_penalty, max_new_tokens, seed."),
    Misuse("chat x --set temperature=9", "--set temperature 9: input should be less than or equal "
           "to 5."),
    Misuse("chat --model ./nothing", "./nothing: there is no such folder."),
    Misuse("chat x --preset wild", "Invalid value for '--preset': 'wild' is not one of "
           "'deterministic', 'balanced', 'creative'. See: luthier chat --help"),
    Misuse("metrics x --csv --json", "--csv and --json exclude each other; choose one."),
    Misuse("export x", "Missing option '--to'. See: luthier export --help"),
    Misuse("agent run --port 70000", "Invalid value for '--port': it must be less than or equal "
           "to 65535. See: luthier agent run --help"),
    Misuse("data inspect d.csv --task speech",
           f"There is no task 'speech'. Known tasks: {', '.join(tasks())}."),
]  # fmt: skip


@pytest.mark.parametrize("misuse", MISUSES, ids=lambda misuse: misuse.call)
def test_a_wrong_call(luthier: Luthier, home: Path, misuse: Misuse) -> None:
    refused = luthier(*misuse.call.split())
    assert (refused.code, refused.out, refused.errors) == (misuse.code, "", [misuse.sentence])
    assert not (home / "agent.sock").exists()


def test_no_agent_is_told_with_its_own_code(luthier: Luthier, home: Path) -> None:
    refused = luthier("agent", "status")
    assert (refused.code, refused.out) == (3, "")
    assert refused.errors == [f"No agent is running for {home}. Start it with: luthier agent start"]


def test_a_home_that_cannot_be_written_is_told(luthier: Luthier, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    refused = luthier("--home", str(file / "home"), "runs")
    assert (refused.code, refused.out) == (3, "")
    (sentence,) = refused.errors
    assert sentence.startswith(f"The agent of {file / 'home'} cannot be started: Not a directory.")


def test_wrong_settings_of_the_agent_are_told(luthier: Luthier, home: Path) -> None:
    home.mkdir()
    (home / "settings.yaml").write_text("cpu_slot: 2\n")
    refused = luthier("runs")
    assert (refused.code, refused.out) == (3, "")
    (sentence,) = refused.errors
    assert f"{home / 'settings.yaml'}: cpu_slot: " in sentence
    assert "Did you mean cpu_slots?" in sentence


def test_a_mistake_of_luthiers_own_is_one_sentence_too(
    luthier: Luthier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("luthier.agent.cli.views.catalogue.show_tasks", lambda *_: {}["x"])
    failed = luthier("tasks")
    assert (failed.code, failed.out) == (1, "")
    assert failed.errors == [
        "luthier itself failed: KeyError: 'x'. See where with: luthier --debug tasks"
    ]


def test_a_file_that_is_not_text(luthier: Luthier) -> None:
    Path("spec.yaml").write_bytes(b"task: \xff\xfe")
    refused = luthier("run", "spec.yaml")
    assert refused.code == 2
    assert refused.errors == ["spec.yaml: not UTF-8 text (byte 6). Save it as UTF-8."]


def test_debug_shows_where_an_error_comes_from(luthier: Luthier) -> None:
    from luthier.trainers.errors import LuthierError

    with pytest.raises(LuthierError, match="no such file"):
        luthier("--debug", "validate", "no.yaml")
