"""Chats with the results of runs: worker processes, who may use them, and what was said."""
