"""Everything that a look at rows of preferences, labels or prompts finds."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from ..errors import DataError, Problem
from ..spec import TextDataSection
from ..spec.preference_data import ChatSpec
from ..spec.reward_section import RewardSection
from ..tasks.llm_distill import DistillTraining
from . import checks
from .chats import Message
from .columns import describe_columns
from .examples import Built
from .findings import Findings, Measure, measure_lengths
from .formats import OPTIONAL_PARTS, recognise
from .preference_formats import Kind, recognise_preferences
from .preference_rows import build_preferences
from .problems import missing_column
from .report import SamplePrompt, SplitReport
from .row_reader import Example
from .table import Dataset, Table, where_all

_KINDS: dict[str, Kind] = {
    "llm-kto": "labelled",
    "llm-grpo": "prompts",
    "llm-distill": "prompts",
}
# One kind of answer this much rarer than the other is worth a word.
_RARE = 0.1


def examine_preferences(
    dataset: Dataset, spec: ChatSpec, measure: Measure | None = None, *, as_chat: bool = False
) -> Findings:
    """Look at everything; nothing is raised about the data.

    Args:
        dataset: what read_dataset returned.
        spec: the run; its data section and length limits are looked at.
        measure: token lengths of examples, uncut; without it lengths are in characters.
        as_chat: turn plain prompts and answers into messages, as a chat template asks for.
    """
    findings = Findings(dataset, describe_columns(dataset.train))
    try:
        findings.recognition = recognise_preferences(
            dataset.train, spec.data, _KINDS.get(spec.task, "pairs")
        )
        for name, table in dataset.splits().items():
            _build(findings, name, table, spec, as_chat=as_chat)
    except DataError as error:
        findings.problems += error.problems
    _count(findings)
    for built in findings.built.values():
        findings.warnings += checks.repeated(built)
        findings.warnings += checks.unusual_order(built)
        findings.warnings += contradictions(built)
        findings.problems += label_problems(built)
        findings.warnings += few_labels(built)
    if {"train", "validation"} <= findings.built.keys():
        findings.warnings += checks.leaked(findings.built["train"], findings.built["validation"])
    if dataset.validation is None and spec.data.validation_fraction:
        text = "too few different rows to set any aside, so nothing is measured"
        findings.warnings.append(Problem(text, dataset.train.name))
    for name in findings.built:
        measure_lengths(
            findings,
            name,
            measure,
            preference_limit(spec),
            characters=_characters,
            too_long=partial(_too_long, spec),
        )
    return findings


def _build(findings: Findings, name: str, table: Table, spec: ChatSpec, *, as_chat: bool) -> None:
    if findings.recognition is None:
        return
    missing = [
        Problem(missing_column(column, table.columns), table.name)
        for part, column in findings.recognition.parts.items()
        if column not in table.columns and part not in OPTIONAL_PARTS
    ]
    answer = answer_column(spec)
    if answer is not None and answer not in table.columns:
        text = missing_column(answer, table.columns, "rewards.answer_column")
        missing.append(Problem(text, table.name))
    if missing:
        findings.problems += missing
        return
    built = build_preferences(
        table,
        spec.data,
        findings.recognition,
        task=spec.task,
        as_chat=as_chat,
        needed=answer,
    )
    findings.built[name] = built
    findings.problems += built.problems()


def lacks_answers(table: Table, spec: ChatSpec) -> bool:
    """Whether the rows of a distillation are prompts alone, and need be no more."""
    training = spec.training
    if not isinstance(training, DistillTraining) or not (training.lmbda == 1 or training.seq_kd):
        return False
    try:
        section = spec.data
        found = (
            recognise(table, section, task=spec.task)
            if isinstance(section, TextDataSection)
            else None
        )
    except DataError:
        return True
    return found is not None and found.format == "text"


def answer_column(spec: ChatSpec) -> str | None:
    """The column that the reward for exact matches needs; None where there is no such reward."""
    rewards = getattr(spec, "rewards", None)
    if not isinstance(rewards, RewardSection) or "exact_match" not in rewards.functions:
        return None
    return rewards.answer_column


def _count(findings: Findings) -> None:
    """What is empty, and how many rows are left."""
    tables = findings.dataset.splits()
    known = {name: (built, len(tables[name])) for name, built in findings.built.items()}
    stops = checks.too_many_empty(known.values())
    for built, total in known.values():
        empty = checks.empty_rows(built, total, stops=stops)
        (findings.problems if stops else findings.warnings).extend(empty)
    for name, table in tables.items():
        places = {example["where"] for example in findings.examples(name)}
        findings.splits[name] = SplitReport(name=table.name, rows=len(table), used=len(places))


def label_problems(built: Built) -> Iterator[Problem]:
    """Labels that are all the same leave nothing to tell apart."""
    labels = {example["label"] for example in built.examples if "label" in example}
    if len(labels) == 1 and len(built.examples) > 1:
        word = "good" if labels == {True} else "bad"
        yield Problem(
            f"every answer is marked {word}; both good and bad ones are needed",
            where_all([example["where"] for example in built.examples]),
        )


def few_labels(built: Built) -> Iterator[Problem]:
    """One kind of answer that is rare beside the other."""
    counts = Counter(example["label"] for example in built.examples if "label" in example)
    total = sum(counts.values())
    for label, weight in ((True, "desirable_weight"), (False, "undesirable_weight")):
        if 0 < counts[label] < _RARE * total:
            word = "good" if label else "bad"
            yield Problem(
                f"only {counts[label]} of {total} answers are marked {word}; "
                f"raise training.{weight} so that they count",
                where_all([e["where"] for e in built.examples if e.get("label") is label]),
            )


def contradictions(built: Built) -> Iterator[Problem]:
    """The same answers the other way round, or the same answer marked good and bad."""
    seen: set[str] = set()
    places = []
    for example in built.examples:
        if "rejected" in example:
            own = (example["prompt"], example["completion"], example["rejected"])
            opposite: tuple[Any, ...] = (own[0], own[2], own[1])
        elif "label" in example:
            own = (example["prompt"], example["completion"], str(example["label"]))
            opposite = (own[0], own[1], str(not example["label"]))
        else:
            continue
        if json.dumps(opposite) in seen:
            places.append(example["where"])
        seen.add(json.dumps(own))
    if places:
        rows = "1 row says" if len(places) == 1 else f"{len(places)} rows say"
        yield Problem(f"{rows} the opposite of an earlier row", where_all(places))


def variants(example: Example) -> list[Example]:
    """The prompt with each of its answers, as rows that can be tokenised."""
    answers = [example["completion"]]
    if "rejected" in example:
        answers.append(example["rejected"])
    return [_variant(example, answer) for answer in answers]


def _variant(example: Example, answer: Any) -> Example:
    made: Example = {"where": example["where"]}
    if "tools" in example:
        made["tools"] = example["tools"]
    if example["prompt"] == "":
        made["text"] = answer
    else:
        made["prompt"], made["completion"] = example["prompt"], answer
    return made


def preference_samples(built: Built, most: int = checks.SAMPLE_PROMPTS) -> list[SamplePrompt]:
    """The first different prompts with the better, or the right, answer."""
    shown = [example for example in built.examples if example.get("label", True)]
    return checks.sample_prompts(Built(shown, chat=built.chat), most)


def preference_inputs(examples: Sequence[Example], most: int = 3) -> list[dict[str, Any]]:
    """Prompts with their better answers, to try a model that scores on."""
    pairs = [example for example in examples if "rejected" in example][:most]
    return [
        {
            "prompt": spoken(pair["prompt"], "user"),
            "chosen": spoken(pair["completion"], "assistant"),
        }
        for pair in pairs
    ]


def spoken(value: str | list[Message], role: str) -> str:
    """A text as it is; of a chat what the role says last."""
    if isinstance(value, str):
        return value
    said = [str(turn["content"]) for turn in value if turn["role"] == role]
    return said[-1] if said else str(value[-1]["content"])


def preference_limit(spec: ChatSpec) -> int | None:
    """How many tokens of a prompt with its answer are trained on; None where there is no limit."""
    key = "max_prompt_length" if spec.task == "llm-grpo" else "max_length"
    limit: int | None = getattr(spec.training, key)
    return limit


def _too_long(spec: ChatSpec, places: list[str], rows: int, limit: int) -> Iterable[Problem]:
    if spec.task not in ("llm-reward", "llm-grpo", "llm-distill"):
        return checks.too_long(places, rows, limit)
    if not places:
        return []
    key = "max_prompt_length" if spec.task == "llm-grpo" else "max_length"
    share = 100 * len(places) / rows
    text = (
        f"{len(places)} of {rows} rows ({share:.1f}%) are longer than {limit} tokens and "
        f"will be left out; raise training.{key} to keep them"
    )
    return [Problem(text, where_all(places))]


def _characters(example: Example) -> int:
    return max(checks.characters(variant) for variant in variants(example))
