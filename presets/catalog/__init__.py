"""The offline model list: models that people fine-tune, with what is known of them."""

from .entries import Family, ModelEntry, family_of, find_entry, models, search

__all__ = ["Family", "ModelEntry", "family_of", "find_entry", "models", "search"]
