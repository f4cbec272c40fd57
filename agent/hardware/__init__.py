"""What this host has: processor, memory, disk and accelerators, and how busy they are."""
