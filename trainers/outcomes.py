"""What the registry entries of tasks share that find classes or numbers. Torch-free."""

from __future__ import annotations

from .registry import Column

LABEL = Column(
    "label",
    "class name, or a list of labels",
    "good",
    names=("label", "labels", "target", "class", "category"),
    several=True,
)
TARGET = Column(
    "target",
    "number, or a list of numbers",
    4.5,
    names=("target", "targets", "label", "labels", "score", "value"),
    several=True,
)

NUMBER_NOTES = (
    "Several target columns, or a list in one, are learnt together.",
    "Numbers are brought to mean 0 and deviation 1 for training; the model's config says how.",
)

PRINT_CLASS = """\
scores = model(**inputs).logits[0]
print(model.config.id2label[scores.argmax().item()])
"""
"""The end of a card's code, after ``inputs``."""

PRINT_NUMBERS = """\
scores = model(**inputs).logits[0].tolist()
for name, score, mean, deviation in zip(
    model.config.target_names, scores, model.config.target_mean, model.config.target_deviation
):
    print(name, score * deviation + mean)
"""
"""The same for numbers."""
