"""Learn: the guide's path, and pages that can be read offline."""

from __future__ import annotations

import re
from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from luthier.agent.models import Device, HostReport
from luthier.presets import find_preset
from luthier.trainers.registry import tasks
from luthier.tui.forms import Form, form_fields
from luthier.tui.learning.aims import AIMS
from luthier.tui.learning.goals import goals
from luthier.tui.learning.guide import STEPS, Answers, plan, question
from luthier.tui.learning.topics import find_topic, matching, topic_of, topics
from luthier.tui.screens.learn import LearnScreen
from luthier.tui.screens.new_run import NewRunScreen

pytestmark = pytest.mark.anyio

SIZES = [(80, 24), (120, 40)]
GIB = 1 << 30


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the app is started in, with a dataset and an empty hub cache."""
    folder = tmp_path / "work"
    folder.mkdir()
    rows = "".join(f'{{"prompt": "What is {n}?", "completion": "{n}."}}\n' for n in range(40))
    (folder / "rows.jsonl").write_text(rows)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    return folder


def machine(*devices: Device) -> HostReport:
    return HostReport(
        host="local", t=0, system="Linux", python="3.11", cpu_name="cpu", cpu_cores=2,
        cpu_percent=0, load=0, memory_total=8 * GIB, memory_available=GIB, disk_total=GIB,
        disk_free=GIB, devices=list(devices),
    )  # fmt: skip


def gpu(gib: int) -> Device:
    return Device(id="cuda:0", kind="cuda", name="GPU", memory_total=gib * GIB)


def answered(**given: str) -> Answers:
    answers = Answers()
    for step in STEPS:
        if step in given:
            answers.give(step, given[step])
    return answers


# -- topics ----------------------------------------------------------------------------------


def test_every_topic_of_the_plan_has_a_short_page() -> None:
    groups = Counter(topic.group for topic in topics())
    assert len(groups) == 15
    assert min(groups.values()) >= 5
    assert len({topic.id for topic in topics()}) == len(topics())
    for topic in topics():
        words = topic.text.split()
        assert 40 <= len(words) <= 200, topic.id
        assert max(map(len, topic.text.splitlines())) <= 110, topic.id


def test_every_beginners_setting_has_a_page() -> None:
    fields = {field.key: field for task in tasks() for field in form_fields(task)}
    named = [key for topic in topics() for key in topic.settings]
    assert set(named) <= set(fields)
    assert len(named) == len(set(named))
    without = [key for key, field in fields.items() if field.beginner and not topic_of(key)]
    assert without == []


def test_settings_that_a_page_speaks_of_exist() -> None:
    known = {field.name for task in tasks() for field in form_fields(task)}
    values = {choice for task in tasks() for field in form_fields(task) for choice in field.choices}
    for topic in topics():
        for word in re.findall(r"`([a-z0-9_]+_[a-z0-9_]+)`", topic.text):
            assert word in known | values | {"grad_norm", "eval_loss", "lm_head"}, (topic.id, word)


def test_words_find_pages_by_title_first() -> None:
    found = matching("learning rate", topics())
    assert found[0].id == "learning-rate"
    assert len(found) > 3
    assert matching("nonsense words", topics()) == []


# -- the guide as plain data -----------------------------------------------------------------


def test_questions_come_one_at_a_time_and_can_be_taken_back() -> None:
    answers = Answers()
    asked = []
    while answers.next:
        step = answers.next
        asked.append(step)
        assert question(step, answers).text
        answers.give(step, {"goal": "answers"}.get(step, "x"))
    assert tuple(asked) == STEPS
    answers.take_back()
    assert answers.next == "performance"


def test_who_only_wants_to_see_it_is_not_asked_for_data() -> None:
    answers = answered(name="Ada", goal="try")
    assert answers.next is None
    made = plan(answers, offline=True)
    assert made.values["name"] == "demo"
    assert Form("llm-sft").fill(made.values) == []


@pytest.mark.parametrize(
    ("goal", "experience", "hardware", "performance"),
    [
        *product(("answers", "field"), ("none", "some"), ("cpu", "8", "here"), ("fast", "memory")),
        *product(("answers",), ("none", "much"), ("16", "24"), ("balanced", "best")),
        *product([goal.id for goal in goals()[2:]], ("none", "much"), ("cpu",), ("fast", "best")),
        *product([goal.id for goal in goals()[2:]], ("some",), ("here",), ("balanced", "memory")),
    ],
)
def test_every_path_leads_to_a_form_that_is_ready(
    goal: str, experience: str, hardware: str, performance: str
) -> None:
    answers = answered(
        name="Ada", goal=goal, experience=experience, data="sample", hardware=hardware,
        performance=performance,
    )  # fmt: skip
    made = plan(answers, machine(gpu(16)), offline=False)
    values = dict(made.values)
    form = Form(values["task"])
    form.use_preset(find_preset(values.pop("preset")))
    assert values.pop("expert") is (experience == "much")
    assert form.fill(values) == []
    assert form.check().spec is not None
    assert "Ada" in made.text
    (matters,) = (aim.text for aim in AIMS if aim.id == performance)
    assert f"**What matters**: {matters}" in made.text
    if form.task.default_model:
        assert str(form.value("model.name_or_path")) in made.text
    for topic in made.topics:
        assert find_topic(topic)


@pytest.mark.parametrize(
    ("devices", "expected"),
    [((), "135M"), ((gpu(6),), "1.7B"), ((gpu(16),), "3B"), ((gpu(6), gpu(80)), "7B")],
)
def test_the_model_fits_the_machine(devices: tuple[Device, ...], expected: str) -> None:
    answers = answered(
        name="", goal="answers", experience="some", data="x", hardware="here",
        performance="balanced",
    )  # fmt: skip
    made = plan(answers, machine(*devices), offline=False)
    assert expected in made.values["model"]["name_or_path"]
    assert ("launch" in made.values) == (not devices)


@pytest.mark.parametrize(
    ("goal", "hardware", "performance", "preset"),
    [
        ("answers", "24", "fast", "llm-sft/fastest"),
        ("answers", "8", "fast", "llm-sft/quick-test"),
        ("answers", "8", "balanced", "llm-sft/balanced"),
        ("answers", "8", "best", "llm-sft/best-quality"),
        ("answers", "24", "memory", "llm-sft/smallest-memory"),
        ("sort", "8", "memory", "text-classification/balanced"),
        ("table", "cpu", "memory", "tabular-classification/balanced"),
    ],
)
def test_what_matters_chooses_the_preset(
    goal: str, hardware: str, performance: str, preset: str
) -> None:
    given = {"goal": goal, "hardware": hardware, "performance": performance}
    made = plan(answered(name="", experience="some", data="x", **given), offline=False)
    assert made.values["preset"] == preset
    purpose = find_preset(preset).purpose
    assert purpose in made.text
    if goal == "sort":
        assert made.values["training"]["gradient_accumulation_steps"] == 4
        assert "`per_device_train_batch_size: 4`" in made.text


def test_offline_only_what_is_here_is_proposed() -> None:
    answers = answered(
        name="", goal="answers", experience="none", data="x", hardware="cpu", performance="fast"
    )
    made = plan(answers, here=["owner/cached"], offline=True)
    assert made.values["model"]["name_or_path"] == "owner/cached"
    made = plan(answers, offline=True)
    assert Path(made.values["model"]["name_or_path"]).is_dir()


def test_a_typed_name_cannot_break_the_page() -> None:
    answers = answered(
        name="{x} `*", goal="answers", experience="none", data="a{b}", hardware="cpu",
        performance="best",
    )  # fmt: skip
    assert "{x}" in plan(answers, offline=False).text


# -- the screen ------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
async def test_the_guide_asks_explains_and_opens_the_form(
    client: Any, opened: Any, size: tuple[int, int], place: Path
) -> None:
    async with opened(size=size) as luthier:
        await luthier.live()
        await luthier.press("l")
        await luthier.sees("What may I call you?")
        await luthier.type("Ada")
        await luthier.press("enter")
        await luthier.sees("What do you want to do, Ada?")
        await luthier.press("enter")
        await luthier.sees("How much of this have you done before?")
        await luthier.press("j", "enter")
        await luthier.sees("Which data do you have?", "rows.jsonl")
        await luthier.press("enter")
        await luthier.sees("What will it run on?", "this machine")
        await luthier.press("j", "enter")
        await luthier.sees("What matters most to you?", "as little memory as possible")
        await luthier.press("j", "enter")
        await luthier.sees("Here is your path, Ada", "Open the form, filled in")
        await luthier.press("enter")
        await luthier.sees("preset Balanced", "ready")
        form = luthier.app.screen.form
        assert form.value("data.path") == str(place / "rows.jsonl")
        await luthier.press("q")
        await luthier.sees("Here is your path, Ada")


async def test_an_answer_can_be_taken_back_and_a_wrong_path_is_told(
    client: Any, opened: Any
) -> None:
    async with opened() as luthier:
        await luthier.live()
        await luthier.press("l")
        await luthier.sees("What may I call you?")
        await luthier.press("enter")
        await luthier.sees("What do you want to do?")
        await luthier.press("enter", "enter")
        await luthier.sees("Which data do you have?", "rows.jsonl")
        luthier.app.screen.query_one("#answer", Input).focus()
        await luthier.type("none.csv")
        await luthier.press("enter")
        await luthier.sees("There is no none.csv here.")
        await luthier.press("escape", "s", "G", "enter")
        await luthier.sees("How much of this have you done before?")
        await luthier.misses("rows.jsonl")


@pytest.mark.parametrize("size", SIZES)
async def test_pages_are_read_and_searched(client: Any, opened: Any, size: tuple[int, int]) -> None:
    async with opened(size=size) as luthier:
        await luthier.live()
        luthier.app.open_learn("learning-rate")
        await luthier.sees("How far the weights move", "Good places to start")
        await luthier.press("slash")
        await luthier.type("packing")
        await luthier.sees("Putting rows together")
        await luthier.press("enter")
        await luthier.sees("Rows of a batch have to be equally long")
        await luthier.press("escape", "q")
        await luthier.sees("There are no runs yet")


async def test_a_setting_opens_its_page_and_the_form_is_there_afterwards(
    client: Any, opened: Any
) -> None:
    async with opened() as luthier:
        await luthier.live()
        luthier.app.open_new_run({}, "llm-sft")
        await luthier.sees("name_or_path")
        await luthier.press("j", "t")
        await luthier.sees("Choosing a model", "as small as you can bear")
        assert isinstance(luthier.app.screen, LearnScreen)
        await luthier.press("q")
        await luthier.sees("name_or_path")
        assert isinstance(luthier.app.screen, NewRunScreen)
