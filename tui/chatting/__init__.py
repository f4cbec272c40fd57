"""What the chat screen knows, as plain data: nothing here needs Textual."""
