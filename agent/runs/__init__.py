"""The agent's runs: queue, supervision, records and recovery."""
