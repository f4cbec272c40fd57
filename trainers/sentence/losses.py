"""The library's losses, by the names and settings of the specs."""

from __future__ import annotations

from typing import Any

import torch
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


def ranking_loss(model: Any, training: Any) -> Any:
    """A loss in which the batch's other rows are the wrong ones, or the triplets' own."""
    if training.loss == "triplet":
        return losses.TripletLoss(
            model,
            distance_metric=_DISTANCES[training.distance],
            triplet_margin=training.margin,
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
        return losses.CosineSimilarityLoss(model)
    kind = losses.AnglELoss if training.loss == "angle" else losses.CoSENTLoss
    return kind(model, scale=training.scale)


def contrastive_loss(model: Any, training: Any) -> Any:
    """A loss of pairs that belong together (1) or do not (0)."""
    online = training.loss == "online-contrastive"
    kind = losses.OnlineContrastiveLoss if online else losses.ContrastiveLoss
    return kind(
        model, distance_metric=SiameseDistanceMetric.COSINE_DISTANCE, margin=training.margin
    )


def softmax_loss(model: Any, weights: torch.Tensor) -> Any:
    """A loss of classes with those weights; its ``classifier`` is to be trained along."""
    return losses.SoftmaxLoss(
        model,
        embedding_dimension=model.get_embedding_dimension(),
        num_labels=len(weights),
        loss_fct=nn.CrossEntropyLoss(weight=weights),
    )


def nested(model: Any, loss: Any, dims: list[int]) -> Any:
    """The loss taken at each of the lengths, and of whole vectors; itself when there are none."""
    if not dims:
        return loss
    width = model.get_embedding_dimension()
    return losses.MatryoshkaLoss(model, loss, sorted({*dims, width}, reverse=True))
