"""Names of the figures that evaluations report, for registry entries. Torch-free."""

from __future__ import annotations

_AVERAGES = ("macro", "micro", "weighted")

LABEL_METRICS = (
    "eval_accuracy",
    "eval_f1",
    "eval_loss",
    "eval_precision",
    "eval_recall",
    *(f"eval_{name}_{way}" for name in ("f1", "precision", "recall") for way in _AVERAGES),
    "eval_auc",
)
"""Of classes and labels; see engine/reports.py for what each means."""

CLASS_METRICS = (*LABEL_METRICS, "eval_calibration_error")
"""Of a choice between classes."""

REGRESSION_METRICS = (
    "eval_r2",
    "eval_loss",
    "eval_mse",
    "eval_rmse",
    "eval_mae",
    "eval_explained_variance",
)
"""Of numbers."""
