"""Sentence transformers: models that turn texts into vectors which lie close when texts do."""
