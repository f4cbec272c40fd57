"""The library's losses, by the names and settings of the specs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from sentence_transformers.base.losses.merged_forward import embed_columns
from sentence_transformers.sentence_transformer import losses
from sentence_transformers.sentence_transformer.losses import (
    SiameseDistanceMetric,
    TripletDistanceMetric,
)
from torch import nn

_DISTANCES = {
    "cosine": TripletDistanceMetric.COSINE,
    "euclidean": TripletDistanceMetric.EUCLIDEAN,
    "manhattan": TripletDistanceMetric.MANHATTAN,
}


class WeightedRows(nn.Module):
    """A loss of rows that each count as much as their weight says.

    Where a batch has weights its labels are pairs of a label and a weight. The library's losses
    give a batch's mean, so that a batch of one row gives the row's own loss.
    """

    def __init__(self, loss: Any) -> None:
        super().__init__()
        self.model = loss.model
        self.loss = loss

    def forward(
        self, sentence_features: Iterable[dict[str, torch.Tensor]], labels: torch.Tensor | None
    ) -> torch.Tensor:
        """The mean over the rows, each loss times its weight."""
        if labels is None or labels.dim() == 1:
            plain: torch.Tensor = self.loss(sentence_features, labels)
            return plain
        columns = embed_columns(self.model, sentence_features)
        each = [
            self.loss.compute_loss_from_embeddings([column[n : n + 1] for column in columns], label)
            for n, label in enumerate(labels[:, :1])
        ]
        return (torch.stack(each) * labels[:, 1]).mean()


class WeightedClasses(nn.Module):
    """Cross entropy whose labels may be pairs of a class and the row's weight."""

    def __init__(self, weights: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("weights", weights)
        self.plain = nn.CrossEntropyLoss(weight=weights)

    def forward(self, scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The mean over the rows, each loss times the weights of its class and its own."""
        if labels.numel() == len(scores):
            return self.plain(scores, labels)  # type: ignore[no-any-return]
        numbers, weights = labels.reshape(-1, 2).unbind(1)
        counts = self.get_buffer("weights")[numbers.long()]
        each = nn.functional.cross_entropy(scores, numbers.long(), reduction="none")
        return (each * counts * weights).sum() / counts.sum()


def ranking_loss(model: Any, training: Any) -> Any:
    """A loss in which the batch's other rows are the wrong ones, or the triplets' own."""
    if training.loss == "triplet":
        distance = _DISTANCES[training.distance]
        return WeightedRows(
            losses.TripletLoss(model, distance_metric=distance, triplet_margin=training.margin)
        )
    options: dict[str, Any] = {"scale": training.scale}
    if training.symmetric:
        options["directions"] = ("query_to_doc", "doc_to_query")
        options["partition_mode"] = "per_direction"
    if training.loss == "cached-multiple-negatives-ranking":
        options["mini_batch_size"] = training.mini_batch_size
        return losses.CachedMultipleNegativesRankingLoss(model, **options)
    return losses.MultipleNegativesRankingLoss(model, **options)


def score_loss(model: Any, training: Any) -> Any:
    """A loss of numbers that say how similar two texts are."""
    if training.loss == "cosine-similarity":
        return WeightedRows(losses.CosineSimilarityLoss(model))
    kind = losses.AnglELoss if training.loss == "angle" else losses.CoSENTLoss
    return kind(model, scale=training.scale)


def contrastive_loss(model: Any, training: Any) -> Any:
    """A loss of pairs that belong together (1) or do not (0)."""
    distance = SiameseDistanceMetric.COSINE_DISTANCE
    if training.loss == "online-contrastive":
        return losses.OnlineContrastiveLoss(model, distance_metric=distance, margin=training.margin)
    return WeightedRows(
        losses.ContrastiveLoss(model, distance_metric=distance, margin=training.margin)
    )


def softmax_loss(model: Any, weights: torch.Tensor) -> Any:
    """A loss of classes with those weights; its ``classifier`` is to be trained along."""
    return losses.SoftmaxLoss(
        model,
        embedding_dimension=model.get_embedding_dimension(),
        num_labels=len(weights),
        loss_fct=WeightedClasses(weights),
    )


def nested(model: Any, loss: Any, dims: list[int]) -> Any:
    """The loss taken at each of the lengths, and of whole vectors; itself when there are none."""
    if not dims:
        return loss
    width = model.get_embedding_dimension()
    return losses.MatryoshkaLoss(model, loss, sorted({*dims, width}, reverse=True))
