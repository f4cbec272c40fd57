"""Tiny random models for the sample datasets: a quick test of a task without any download."""
