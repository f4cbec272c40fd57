"""The preset library: named parts of a spec and when each is right."""
