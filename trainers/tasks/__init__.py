"""One module a task, each with its registry entry ``TASK``. Torch-free."""
