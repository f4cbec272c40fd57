"""The sections of a spec that the sentence transformer tasks share. Torch-free."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import model_validator

from ..spec import ColumnSpec, TrainingSection, WeightedDataSection, conflict, parameter

RankingLoss = Literal["multiple-negatives-ranking", "cached-multiple-negatives-ranking"]


class SentenceTraining(TrainingSection):
    """How texts become vectors, beside the common settings."""

    learning_rate: float = parameter(
        3e-5,
        "Peak step size; 2e-5 to 5e-5 for training whole models, about 1e-4 for LoRA.",
        level="beginner",
        gt=0,
        le=10,
        group="optimizer",
    )
    max_length: int = parameter(
        128,
        "Longest text; what is longer is cut, in training and whenever the result is used.",
        level="beginner",
        unit="tokens",
        ge=4,
        group="text",
    )
    pooling: Literal["mean", "cls", "max", "lasttoken"] | None = parameter(
        None,
        "How a text's token vectors become one; silent: as the model has it, else mean.",
        group="text",
    )
    matryoshka_dims: list[int] = parameter(
        [],
        "Lengths to which vectors may be cut later, such as [768, 256, 64]: the loss is taken at "
        "each. Empty: whole vectors only.",
        group="loss",
    )

    @model_validator(mode="after")
    def _dims_fit(self) -> SentenceTraining:
        dims = self.matryoshka_dims
        if len(set(dims)) != len(dims) or any(dim < 1 for dim in dims):
            raise conflict("training.matryoshka_dims", "needs different numbers above 0")
        return self


class ContrastTraining(SentenceTraining):
    """Losses in which the other rows of a batch are what a text does not belong to."""

    scale: float = parameter(
        20.0,
        "Similarities are multiplied by this before they are compared; higher is stricter.",
        gt=0,
        group="loss",
    )
    symmetric: bool = parameter(
        False, "Also look for the first text among the second ones.", group="loss"
    )
    mini_batch_size: int = parameter(
        32,
        "Rows at a time in the cached loss, which decide the memory instead of the batch.",
        unit="rows",
        ge=1,
        group="loss",
    )
    distinct_batches: bool = parameter(
        True,
        "No text twice in a batch: it would count as its own opposite.",
        group="loss",
    )

    @model_validator(mode="after")
    def _order_is_free(self) -> ContrastTraining:
        if self.distinct_batches and self.train_sampling_strategy != "random":
            raise conflict(
                "training.train_sampling_strategy",
                f"{self.train_sampling_strategy} needs training.distinct_batches false",
            )
        return self


class MinedTraining(ContrastTraining):
    """The same, with negatives that the base model finds among the rows."""

    loss: RankingLoss = parameter(
        "multiple-negatives-ranking",
        "cached takes large batches through in pieces: slower, with the memory of a piece.",
        group="loss",
    )
    hard_negatives: int = parameter(
        0,
        "Negatives that are mined for each row before training: texts of other rows that the "
        "base model finds similar. 0: the batch's other rows alone.",
        level="beginner",
        ge=0,
        le=20,
        group="hard negatives",
    )
    hard_negatives_skip: int = parameter(
        0,
        "The most similar texts passed over, which may belong to the row after all.",
        ge=0,
        group="hard negatives",
    )
    hard_negatives_margin: float | None = parameter(
        0.05,
        "How much less similar than the row's own text a negative is, as a share of that "
        "similarity; silent: any.",
        ge=0,
        lt=1,
        group="hard negatives",
    )


class SentenceSpec(ColumnSpec):
    """A run that trains a sentence transformer."""

    training: SentenceTraining = parameter(SentenceTraining(), "How it is trained.")

    @model_validator(mode="after")
    def _fits_sentences(self) -> SentenceSpec:
        for key in ("label_smoothing_factor", "neftune_noise_alpha"):
            if getattr(self.training, key):
                raise conflict(f"training.{key}", f"{self.task} has none; leave it out")
        return self


class WeightedSentenceSpec(SentenceSpec):
    """The same where rows may have weights, with the losses that look at one row at a time."""

    weighted_losses: ClassVar[tuple[str, ...]]

    data: WeightedDataSection = parameter(meaning="The rows.", level="beginner")

    @model_validator(mode="after")
    def _loss_has_weights(self) -> WeightedSentenceSpec:
        training: Any = self.training
        if self.data.weight_column and training.loss not in self.weighted_losses:
            text = (
                f"{training.loss} compares the rows of a batch, so that none has a weight of its "
                f"own; use training.loss {' or '.join(self.weighted_losses)}, or leave it out"
            )
            raise conflict("data.weight_column", text)
        return self
