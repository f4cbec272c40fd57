"""Predictions with the result of a run: the inputs, the predictors, and the worker process."""
