"""Training on preferences, labels and rewards, by TRL: one module a task."""
