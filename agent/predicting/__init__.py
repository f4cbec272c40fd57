"""Predictions with the results of runs."""
