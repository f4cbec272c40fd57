"""A chat in a plain terminal: what was said, the commands, and how it looks."""
