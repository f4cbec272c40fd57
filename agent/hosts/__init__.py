"""The hosts that runs execute on: this one, and others over plain SSH."""
