"""What a person can learn here: topics as short pages, and a guide to a first run."""
