"""Choosing a model, a dataset and its columns: what there is, and the screens that show it."""
