"""Tasks on texts: classes, numbers, entities, answers in a context, and texts from texts."""
