"""Workers that answer requests: what the ones for chats and for predictions share."""
