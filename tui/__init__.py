"""The terminal UI: screens and widgets over the agent's client."""
