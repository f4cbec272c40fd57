"""Training of causal language models: supervised (TRL) and plain text (transformers)."""
