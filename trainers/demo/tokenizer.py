"""The demo model's tokenizer: one token a character, and one for each role. Loads transformers."""

from __future__ import annotations

import string

from tokenizers import AddedToken, Tokenizer, decoders
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast

_PAD, _UNKNOWN, _END = "<|pad|>", "<|unknown|>", "<|end|>"
_ROLES = ("<|system|>", "<|user|>", "<|assistant|>")
_CHARACTERS = "\n" + " " + string.digits + string.ascii_letters + string.punctuation

# The generation markers let trainers learn from the assistant's turns only.
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' }}"
    "{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] + '<|end|>' }}{% endgeneration %}"
    "{% else %}{{ message['content'] + '<|end|>' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def build_tokenizer(longest: int) -> PreTrainedTokenizerFast:
    """A character tokenizer with a chat template.

    Args:
        longest: the model's longest sequence, in tokens.
    """
    specials = [_PAD, _UNKNOWN, _END, *_ROLES]
    vocabulary = {token: number for number, token in enumerate([*specials, *_CHARACTERS])}
    # Byte-pair encoding without merges leaves single characters.
    tokenizer = Tokenizer(BPE(vocabulary, merges=[], unk_token=_UNKNOWN))
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in specials])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=_PAD,
        unk_token=_UNKNOWN,
        eos_token=_END,
        additional_special_tokens=list(_ROLES),
        chat_template=CHAT_TEMPLATE,
        model_max_length=longest,
        clean_up_tokenization_spaces=False,
    )
