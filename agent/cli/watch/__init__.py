"""Following a run: what comes from the agent, the picture it makes, and three ways to show it."""
