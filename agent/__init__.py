"""The agent: the daemon that owns runs, its API and client, and the command line."""
