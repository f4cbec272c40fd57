"""The form of a run, as plain data: fields from a task's declarations, values, checks, texts."""

from .entry import from_lines, from_text, to_lines, to_text
from .fields import FormField, form_fields
from .form import Change, Check, Form
from .sharing import as_command, as_yaml

__all__ = [
    "Change",
    "Check",
    "Form",
    "FormField",
    "as_command",
    "as_yaml",
    "form_fields",
    "from_lines",
    "from_text",
    "to_lines",
    "to_text",
]
