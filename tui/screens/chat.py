"""Talking to what runs have made."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.timer import Timer
from textual.widget import Widget

from luthier.agent.chat.conversation import Turn, run_names
from luthier.agent.chat.transcript import write_transcript
from luthier.agent.models import Chat, OpenChatRequest
from luthier.agent.text import age, count
from luthier.trainers.errors import LuthierError

from ..asking import Wait
from ..bindings import bindings
from ..chatting.history import History, Kept
from ..chatting.samples import Sample, read_samples
from ..chatting.sliders import in_words
from ..chatting.talk import Talk, names_of
from ..chatting.writing import Opened, Writing, loaded_chat, open_chat, write
from ..columns import Column
from ..state import Topic
from ..widgets.chat_dialogs import ChatEntry, ChatPicker
from ..widgets.chat_prompt import ChatPrompt
from ..widgets.chat_settings import ChatSettings, Sliders
from ..widgets.chat_transcript import Transcript, TurnView
from .base import LuthierScreen
from .confirm import ConfirmScreen

_LOOK_SECONDS = 0.1
_TICK_SECONDS = 1.0
