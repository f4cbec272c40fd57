"""One module a group of commands: signatures and help; the work is done by the modules beside."""
