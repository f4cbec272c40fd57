"""What the setting with the cursor means."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import Static

from ..forms import Form, FormField, to_text
from ..learning.topics import topic_of


class FieldHelp(Static):
    """Meaning, type, default and topic of one setting."""

    DEFAULT_CSS = """
    FieldHelp { padding: 0 1; background: $surface; }
    """

    def explain(self, form: Form, field: FormField | None, topic_key: str) -> None:
        """Explain a setting of the form; ``topic_key`` is the key that opens its page."""
        words = explained(form, field, topic_key) if field else "No setting matches."
        # Its height is the screen's choice, whatever it says.
        self.update(words, layout=False)


def explained(form: Form, field: FormField, topic_key: str) -> Text:
    """The setting in a few lines."""
    text = Text()
    text.append(field.key, "bold")
    text.append(f"  {field.meaning}\n" if field.meaning else "\n")
    default = to_text(field, field.default)
    parts = [f"takes {field.takes}" + (f", {field.unit}" if field.unit else "")]
    parts.append("needed" if field.required else f"default {default or 'not set'}")
    if form.preset and form.source(field.key) != "default":
        base = to_text(field, form.base(field.key))
        if base != default:
            parts.append(f"preset {form.preset.title} says {base or 'nothing'}")
    if field.example is not None and not field.required:
        parts.append(f"for example {field.example}")
    text.append("; ".join(parts), "dim")
    topic = topic_of(field.key)
    if topic:
        text.append(f"\n{topic_key}", "bold").append(f" explains: {topic.title}", "dim")
    return text
