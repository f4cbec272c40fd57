"""A look at a dataset, as one JSON object on standard output.

    python -m luthier.trainers.data.inspect PATH [--task llm-sft] [--model NAME_OR_PATH]
                                            [--set section.key=value ...]

PATH is a dataset, or a run spec (.yaml) whose data section names one. With a model, two rows are
shown as that model's tokenizer makes them; without, as the bare text. The object is an
InspectReport; the exit code is 0 when a run could start and 2 when problems would stop it.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import yaml

from ..errors import LuthierError, Problem, ProblemsError
from ..registry import find_task
from ..spec import RunSpec, TextSpec
from ..spec.declarations import section_model
from ..spec.file import load_spec, parse_spec
from ..spec.preference_data import ChatSpec, PromptSpec
from ..tasks.llm_generic import GenericSpec
from .columned_inspect import inspect_columned
from .findings import Findings, examine, length_limit
from .preference_inspect import inspect_preferences
from .read import read_dataset
from .rendering import Tokenizer, Tokens, blocks, token_lengths, tokenise
from .report import InspectReport, RenderedRow
from .segments import text_segments, token_segments
from .tokens import RenderSettings

# Stands for the model in specs that are made only to look at data.
NO_MODEL = "none"
_SHOWN_ROWS = 2


def inspect_dataset(spec: RunSpec, tokenizer: Tokenizer | None = None) -> InspectReport:
    """Look at the data that a spec names. Mistakes in the data are part of the report.

    Args:
        spec: its data section, length limit and loss settings are looked at.
        tokenizer: with it, lengths are in tokens and rows are shown as the model sees them.
    """
    if isinstance(spec, PromptSpec):
        return inspect_preferences(spec, tokenizer)
    if not isinstance(spec, TextSpec):
        return inspect_columned(spec)
    settings = RenderSettings.of(spec)
    report = InspectReport(source=spec.data.path, task=spec.task, limit=length_limit(spec))
    try:
        dataset = read_dataset(spec.data)
        measure = token_lengths(tokenizer, settings) if tokenizer else None
        as_chat = bool(tokenizer.chat_template) if tokenizer else None
        findings = examine(dataset, spec, measure, as_chat=as_chat)
    except LuthierError as error:
        report.problems = _problems(error)
        return report
    findings.fill(report)
    if not findings.problems:
        rows = _rendered(findings, spec, settings, tokenizer)
        report.rows = list(islice(rows, _SHOWN_ROWS))
    return report


def inspect_spec(
    path: str, *, task: str = "llm-sft", model: str | None = None, overrides: Sequence[str] = ()
) -> RunSpec:
    """The spec to look with: that of a .yaml file, or one made for a dataset.

    Raises:
        LuthierError: the overrides or the spec file are wrong, or its task has no text rows.
    """
    if model is not None:
        overrides = [*overrides, f"model.name_or_path={yaml.safe_dump(model, width=4096)}"]
    if Path(path).suffix.lower() in (".yaml", ".yml"):
        spec = load_spec(Path(path), overrides)
    else:
        values = {"task": task, **_stand_ins(task), "data": {"path": path}}
        spec = parse_spec(yaml.safe_dump(values), source="data inspect", overrides=overrides)
    if not isinstance(spec, TextSpec | PromptSpec) and not find_task(spec.task).rules:
        raise LuthierError(f"The task {spec.task} does not train on rows of text.")
    return spec


def _stand_ins(task: str) -> dict[str, dict[str, str]]:
    """Models stand in for every setting that has to be given; none is loaded."""
    sections: dict[str, dict[str, str]] = {}
    try:
        fields = find_task(task).spec.model_fields
    except LuthierError:  # the reader of specs says so, with its place
        return sections
    model = section_model(fields["model"]) if "model" in fields else None
    if model is not None and "name_or_path" in model.model_fields:
        sections["model"] = {"name_or_path": NO_MODEL}
    for name, field in fields.items():
        inner = section_model(field)
        if inner is not None and name not in ("data", "model"):
            needed = [key for key, each in inner.model_fields.items() if each.is_required()]
            sections |= {name: dict.fromkeys(needed, NO_MODEL)} if needed else {}
    return sections


def load_tokenizer(spec: ChatSpec) -> Tokenizer:
    """The tokenizer that a run of this spec would use. Raises LuthierError."""
    from ..engine.models import load_tokenizer as load

    name = spec.model.tokenizer or spec.model.name_or_path
    try:
        tokenizer: Tokenizer = load(spec.model)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise LuthierError(f"The tokenizer of {name} cannot be loaded: {reason}") from error
    return tokenizer


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the report; everything else that is printed goes to standard error."""
    parser = argparse.ArgumentParser(prog="python -m luthier.trainers.data.inspect")
    parser.add_argument("path", help="a dataset or a run spec")
    parser.add_argument("--task", default="llm-sft")
    parser.add_argument("--model", help="show rows as this model's tokenizer makes them")
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    given = parser.parse_args(arguments)
    with contextlib.redirect_stdout(sys.stderr):
        report = _inspect(given)
    print(report.model_dump_json())
    return 2 if report.problems else 0


def _inspect(given: argparse.Namespace) -> InspectReport:
    try:
        spec = inspect_spec(
            given.path, task=given.task, model=given.model, overrides=given.overrides
        )
    except LuthierError as error:
        return InspectReport(source=given.path, task=given.task, problems=_problems(error))
    # Only language models show their rows as a tokenizer makes them.
    if not isinstance(spec, TextSpec | PromptSpec) or spec.model.name_or_path == NO_MODEL:
        return inspect_dataset(spec)
    try:
        tokenizer = load_tokenizer(spec)
    except LuthierError as error:
        # The data can be looked at all the same.
        report = inspect_dataset(spec)
        report.problems = [*_problems(error), *report.problems]
        return report
    report = inspect_dataset(spec, tokenizer)
    report.model = spec.model.name_or_path
    return report


def _rendered(
    findings: Findings, spec: TextSpec, settings: RenderSettings, tokenizer: Tokenizer | None
) -> Iterator[RenderedRow]:
    """Rows, or blocks of joined rows, from the first on."""
    examples = findings.examples("train")
    if tokenizer is None:
        for example in examples:
            yield RenderedRow(where=example["where"], segments=text_segments(example, settings))
        return
    if isinstance(spec, GenericSpec):
        made = blocks(tokenise(examples, tokenizer, settings), spec.training.block_size)
        for number, ids in enumerate(made, start=1):
            whole = Tokens(ids, [True] * len(ids))
            yield _row(f"block {number}", whole, whole, tokenizer)
        return
    for example in examples:
        (tokens,) = tokenise([example], tokenizer, settings)
        seen = tokens.cut(length_limit(spec))
        if seen is not None:
            yield _row(example["where"], tokens, seen, tokenizer)


def _row(where: str, whole: Tokens, seen: Tokens, tokenizer: Tokenizer) -> RenderedRow:
    return RenderedRow(
        where=where,
        tokens=len(whole.ids),
        cut=len(seen.ids) < len(whole.ids),
        segments=token_segments(seen, tokenizer),
    )


def _problems(error: LuthierError) -> list[Problem]:
    return list(error.problems) if isinstance(error, ProblemsError) else [Problem(str(error))]


if __name__ == "__main__":
    sys.exit(main())
