"""Every key of the terminal UI by id, in one table; a key profile replaces keys by these ids.

Ctrl+B and ctrl+A belong to tmux and screen, ctrl+S and ctrl+Q stop and start some terminals,
ctrl+I, ctrl+M, ctrl+H and ctrl+[ are other names of tab, enter, backspace and escape, and alt is
eaten by many a terminal: nothing here depends on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from textual.binding import Binding

from luthier.trainers.errors import LuthierError

from . import settings


@dataclass(frozen=True)
class Key:
    """What one id does.

    Attributes:
        keys: the keys that do it, separated by commas, in Textual's names.
        action: the action on the screen or widget that has the binding.
        label: one or two words for the footer.
        help: one sentence for the help screen.
        footer: place in the footer, 1 first; 0: not shown there.
        priority: whether it works even while text is typed.
    """

    keys: str
    action: str
    label: str
    help: str
    footer: int = 0
    priority: bool = False


TABLE: dict[str, dict[str, Key]] = {
    "app": {
        "help": Key(
            "question_mark,f1", "app.open_help", "help", "Show the keys of this screen.", 90
        ),
        "palette": Key(
            "ctrl+p", "app.command_palette", "commands", "Find any command by its name.", 95, True
        ),
        "jump": Key(
            "ctrl+o", "app.jump", "jump", "Show a letter at every place that can be gone to.",
            priority=True,
        ),
        "settings": Key(
            "comma,f2", "app.open_settings", "settings", "Choose theme, characters and keys."
        ),
        "runs": Key("f5", "app.open_runs", "runs", "Go to the list of runs."),
        "machines": Key("f6", "app.open_machines", "machines", "Go to the machines and the queue."),
        "library": Key("f7", "app.open_library", "library", "Go to the presets and saved setups."),
        "learn": Key("f8", "app.open_learn", "learn", "Go to the guide that explains training."),
        "quit": Key(
            "ctrl+q", "app.quit", "quit", "Close Luthier from anywhere; runs go on.",
            priority=True,
        ),
    },
    "screen": {
        "back": Key("escape", "back", "back", "Leave what is being waited for, or the screen."),
        "leave": Key("q", "leave", "back", "Leave this screen; runs go on.", 99),
    },
    "list": {
        "down": Key("j,down", "cursor(1)", "down", "One line down."),
        "up": Key("k,up", "cursor(-1)", "up", "One line up."),
        "page_down": Key("ctrl+d,pagedown", "page(1)", "page down", "Half a page down."),
        "page_up": Key("ctrl+u,pageup", "page(-1)", "page up", "Half a page up."),
        "first": Key("g,home", "first", "first", "To the first line."),
        "last": Key("G,end", "last", "last", "To the last line."),
        "select": Key("enter", "select", "open", "Open the line.", 1),
        "mark": Key("space", "mark", "mark", "Mark the line, or take the mark off."),
    },
    "scroll": {
        "down": Key("j,down", "scroll_down", "down", "One line down."),
        "up": Key("k,up", "scroll_up", "up", "One line up."),
        "page_down": Key("ctrl+d,pagedown", "page_down", "page down", "One page down."),
        "page_up": Key("ctrl+u,pageup", "page_up", "page up", "One page up."),
        "first": Key("g,home", "scroll_home", "top", "To the top."),
        "last": Key("G,end", "scroll_end", "bottom", "To the bottom."),
    },
    "runs": {
        "new": Key("n", "new", "new run", "Set up a new run.", 2),
        "demo": Key("d", "demo", "demo", "Start the demo run, a minute long.", 3),
        "open": Key("o", "open", "open", "Open the run with its charts and log."),
        "chat": Key("t", "chat", "chat", "Talk to the model that came out.", 3),
        "compare": Key("c", "compare", "compare", "Compare the marked runs, two to eight.", 4),
        "stop": Key("x", "stop", "stop", "Stop the runs after a checkpoint.", 5),
        "stop_now": Key("X", "stop_now", "stop now", "Stop the runs at once, no checkpoint."),
        "resume": Key("r", "resume", "resume", "Go on with finished runs from their checkpoints."),
        "remove": Key("D,delete", "remove", "remove", "Delete finished runs and their folders."),
        "repeat": Key("e", "repeat", "edit copy", "Set up a new run from this one's settings."),
        "copy": Key("y", "copy", "copy id", "Copy the ids of the runs."),
        "filter": Key("slash", "filter", "filter", "Show only runs that match some words.", 6),
        "sort": Key("s", "sort(1)", "sort", "Sort by the next column.", 7),
        "turn": Key("S", "turn", "turn", "Turn the order round."),
        "mark_all": Key("asterisk", "mark_all", "mark all", "Mark all runs shown, or none."),
        "machines": Key("m", "app.open_machines", "machines", "Machines and the queue.", 8),
        "library": Key("b", "app.open_library", "library", "Presets and saved setups.", 9),
        "learn": Key("l", "app.open_learn", "learn", "The guide for a first training.", 10),
        "quit": Key("q", "leave", "quit", "Close Luthier; runs go on.", 99),
    },
    "machines": {
        "queue_up": Key("K,shift+up", "move(-1)", "earlier", "Let the waiting run start earlier."),
        "queue_down": Key("J,shift+down", "move(1)", "later", "Let the waiting run start later."),
        "unqueue": Key("x", "unqueue", "stop", "Take the waiting run out of the queue."),
    },
    "settings": {
        "reset": Key("R", "reset", "defaults", "Put every choice back to its default.", 1),
    },
    "help": {
        "close": Key("escape,q,question_mark,f1", "close", "close", "Back to the screen below."),
    },
    "confirm": {
        "yes": Key("y", "answer(True)", "yes", "Do it."),
        "no": Key("n,escape,q", "answer(False)", "no", "Leave everything as it is."),
        "next": Key("l,right,j,down", "app.focus_next", "next", "To the next answer."),
        "previous": Key("h,left,k,up", "app.focus_previous", "previous", "To the answer before."),
    },
}  # fmt: skip


def bindings(*sections: str) -> list[Binding]:
    """Textual's bindings of sections of the table, for ``BINDINGS``; ids are ``section.name``."""
    return [
        Binding(
            key.keys,
            key.action,
            key.label,
            show=key.footer > 0,
            tooltip=key.help,
            id=f"{section}.{name}",
            priority=key.priority,
        )
        for section in sections
        for name, key in TABLE[section].items()
    ]


def key_of(binding_id: str | None) -> Key | None:
    """The entry of an id; None for bindings that are not Luthier's."""
    section, _, name = (binding_id or "").partition(".")
    return TABLE.get(section, {}).get(name)


def load_profile(path: Path) -> dict[str, str]:
    """A key profile: ids with the keys that take the place of the usual ones.

    Raises:
        LuthierError: the file is missing or no mapping, an id is unknown, or two ids of one
            section have the same key; names the file and the id.
    """
    if not path.exists():
        raise LuthierError(f"{path}: the key profile does not exist.", hint="See settings, keys.")
    known = [f"{section}.{name}" for section, keys in TABLE.items() for name in keys]
    profile: dict[str, str] = {}
    for name, value in settings.read_mapping(path).items():
        if name not in known:
            raise LuthierError(f"{path}: {name}: no key has this id.{settings.nearest(name, known)}")
        keys = [str(key).strip() for key in (value if isinstance(value, list) else [value])]
        profile[name] = ",".join(keys)
        if value is None or not all(part.strip() for part in profile[name].split(",")):
            raise LuthierError(f"{path}: {name}: names no key; write one such as x or ctrl+x.")
    _check_clashes(path, profile)
    return profile


def _check_clashes(path: Path, profile: Mapping[str, str]) -> None:
    for section, keys in TABLE.items():
        taken: dict[str, str] = {}
        for name, key in keys.items():
            own = f"{section}.{name}"
            for each in normal_keys(profile.get(own, key.keys)):
                other = taken.setdefault(each, own)
                clash = {own, other} & set(profile)
                if other != own and clash and TABLE[section][other.split(".")[1]] != key:
                    raise LuthierError(f"{path}: {each} is the key of both {other} and {own}.")


def normal_keys(keys: str) -> list[str]:
    """The single keys in Textual's long names: ``?`` is ``question_mark``."""
    return [binding.key for binding in Binding.make_bindings([Binding(keys, "")])]
