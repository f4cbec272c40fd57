"""Chat templates: prompts, and where an answer ends."""

from __future__ import annotations

import pytest

from luthier.trainers.chat.template import make_format
from luthier.trainers.errors import LuthierError

from .support import QUESTION, TEMPLATE, make_tokenizer

pytestmark = pytest.mark.training


_CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.mark.parametrize(
    ("template", "tokens", "texts"),
    [
        (None, {1}, ()),
        (TEMPLATE, {1, 2}, ()),
        # The markers are no tokens of this tokenizer, so they come as text.
        (_CHATML, {1}, ("<|im_end|>",)),
        ("{% for m in messages %}{{ m.content }} </s>{% endfor %}", {1}, ()),
        ("{% for m in messages %}{{ m.content }}\n{% endfor %}", {1}, ()),
        ("{{ raise_exception('No chats here') }}", {1}, ()),
    ],
)
def test_end_of_an_answer_is_what_the_template_writes_there(
    template: str | None, tokens: set[int], texts: tuple[str, ...]
) -> None:
    form = make_format(make_tokenizer(template), [1])
    assert (form.end_tokens, form.end_texts) == (tokens, texts)
    assert make_format(make_tokenizer(template), [5]).end_tokens == {5, *tokens}


def test_template_that_refuses_a_chat_says_why() -> None:
    form = make_format(make_tokenizer("{{ raise_exception('No chats here') }}"), [])
    with pytest.raises(LuthierError, match=r"refuses this conversation: No chats here\."):
        form.prompt(QUESTION)


def test_an_unfinished_answer_is_gone_on_with() -> None:
    form = make_format(make_tokenizer(TEMPLATE), [])
    begun = [*QUESTION, {"role": "assistant", "content": "spru"}]
    beginning = form.tokenizer("spru", add_special_tokens=False).input_ids
    assert form.prompt(begun) == form.prompt(QUESTION) + beginning
