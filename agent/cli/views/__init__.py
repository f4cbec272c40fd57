"""What the commands print: each function takes plain data and writes to the console."""
