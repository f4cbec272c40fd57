"""Ground floor: tasks, run specs, events and the code that trains.

The light half (registry, specs, events, run folders) imports no torch; the
heavy half is imported only inside worker processes.
"""
