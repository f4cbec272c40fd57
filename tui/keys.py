"""Every key of the terminal UI by id, in one table; a key profile replaces keys by these ids.

Ctrl+B and ctrl+A belong to tmux and screen, ctrl+S and ctrl+Q stop and start some terminals,
ctrl+I, ctrl+M, ctrl+H and ctrl+[ are other names of tab, enter, backspace and escape, and alt is
eaten by many a terminal: nothing here depends on them.
"""

from __future__ import annotations

from dataclasses import dataclass


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
            "ctrl+p", "app.command_palette", "commands", "Find any command by its name.", 80, True
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
        "start": Key("f9", "app.start_agent", "start agent", "Start the agent that is away."),
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
        "chat": Key("t", "chat", "chat", "Talk to what came out, or try it.", 3),
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
        "next_host": Key("h", "next_host", "next machine", "Show the next machine.", 1),
        "add_host": Key("a", "add_host", "add", "Add a machine that ssh reaches.", 2),
        "check_host": Key("c", "check_host", "check", "Check what a run there needs.", 3),
        "set_up_host": Key("s", "set_up_host", "set up", "Give it a Python that trains.", 4),
        "remove_host": Key("D", "remove_host", "remove", "Forget the machine and clean it."),
        "host_shell": Key("exclamation_mark", "host_shell", "shell", "Open a shell there."),
    },
    "tasks": {
        "filter": Key("slash", "filter", "filter", "Show only tasks that match some words.", 2),
        "to_list": Key("down,ctrl+j", "to_list", "list", "From the words to the tasks.", 2),
    },
    "form": {
        "launch": Key("L", "launch", "launch", "Check the run and start it, or queue it.", 1),
        "preset": Key("p", "preset", "preset", "Choose a preset for what you want.", 3),
        "level": Key("e", "level", "expert", "Show all settings, or the few that matter.", 4),
        "review": Key("v", "review", "review", "See what changed, the YAML and the command.", 5),
        "find": Key("slash", "find", "find", "Show only settings that match some words.", 6),
        "save": Key("s", "save_setup", "save", "Save the form as a setup.", 7),
        "load": Key("o", "load_setup", "setups", "Load, rename or delete a saved setup.", 8),
        "topic": Key("t", "topic", "explain", "Read the page that explains the setting.", 9),
        "task": Key("T", "task", "task", "Choose another task."),
        "start_over": Key("N", "start_over", "start over", "Put every setting back."),
    },
    "memory": {
        "auto": Key("a", "auto", "auto", "Let Auto choose what fits, and read its reasons."),
        "measure": Key("m", "measure", "measure", "Measure the rows for a closer estimate."),
        "first": Key("1", "alternative(1)", "change 1", "Make the first change offered."),
        "second": Key("2", "alternative(2)", "change 2", "Make the second change offered."),
        "third": Key("3", "alternative(3)", "change 3", "Make the third change offered."),
        "fourth": Key("4", "alternative(4)", "change 4", "Make the fourth change offered."),
        "fifth": Key("5", "alternative(5)", "change 5", "Make the fifth change offered."),
    },
    "fit": {
        "take": Key("enter", "take", "take", "Take the settings.", 1),
    },
    "field": {
        "edit": Key("enter", "select", "edit", "Change the setting, or pick it from a list.", 2),
        "reset": Key("backspace,delete", "reset", "default", "Put the setting back.", 10),
        "box": Key("E", "box", "box", "Edit the value in a box of several lines."),
        "toggle": Key("space,l,right", "cycle(1)", "next value", "The next of the choices."),
        "previous": Key("h,left", "cycle(-1)", "value before", "The choice before."),
    },
    "entry": {
        "keep": Key("enter", "keep", "keep", "Keep what is written.", 1),
        "undo": Key("escape", "undo", "undo", "Leave the setting as it was.", 2),
        "keep_down": Key("down,tab", "keep(1)", "next", "Keep it and go to the next setting."),
        "keep_up": Key("up,shift+tab", "keep(-1)", "before", "Keep it and go to the one before."),
    },
    "dialog": {
        "close": Key("escape", "close", "close", "Close without a change.", 99),
    },
    "choose": {
        "select": Key("enter", "select", "choose", "Choose the line.", 1),
    },
    "several": {
        "down": Key("j", "cursor(1)", "down", "One line down."),
        "up": Key("k", "cursor(-1)", "up", "One line up."),
        "answer": Key("enter", "answer", "done", "Keep what is chosen; space chooses.", 1, True),
    },
    "box": {
        "keep": Key("ctrl+t", "keep", "keep", "Keep the text and close.", 1),
    },
    "review": {
        "copy": Key("y", "copy", "copy", "Copy what is shown.", 1),
        "next": Key("tab,l,right", "turn(1)", "next page", "Changes, YAML, command.", 2),
        "previous": Key("shift+tab,h,left", "turn(-1)", "page before", "The page before."),
        "close": Key("escape,q,v", "close", "close", "Back to the form.", 99),
    },
    "picker": {
        "go_on": Key("down,ctrl+j", "to_list", "list", "From the text to the list."),
        "write": Key("slash", "to_text", "type", "From the list to the text.", 3),
        "complete": Key("tab", "complete", "complete", "Complete the path to the line's.", 2),
        "hidden": Key("ctrl+t", "hidden", "hidden", "Show hidden files too, or not.", 4),
    },
    "data": {
        "use": Key("u", "use", "use", "Train on this dataset.", 1),
        "columns": Key("m", "columns", "columns", "Say which column plays which part.", 2),
        "browse": Key("b", "browse", "other data", "Pick another file, folder or dataset.", 3),
        "again": Key("r", "again", "look again", "Read the dataset again."),
    },
    "setups": {
        "rename": Key("r", "rename", "rename", "Give the setup another name.", 2),
        "delete": Key("D,delete", "delete", "delete", "Delete the setup.", 3),
    },
    "library": {
        "use": Key("n", "use", "new run", "Set up a new run with it.", 2),
        "duplicate": Key("d", "duplicate", "duplicate", "Make a setup of your own from it.", 3),
        "edit": Key("e", "edit", "edit", "Edit the setup's text.", 4),
        "rename": Key("r", "rename", "rename", "Give the setup another name.", 5),
        "delete": Key("D,delete", "delete", "delete", "Delete the setup.", 6),
        "copy": Key("y", "copy", "copy", "Copy the YAML.", 7),
        "filter": Key("slash", "filter", "search", "Show only what matches some words.", 8),
    },
    "learn": {
        "guide": Key("s", "guide", "guide", "Answer six questions and get a plan.", 1),
        "topics": Key("t", "topics", "topics", "Go to the list of topics.", 2),
        "try": Key("n", "new_run", "new run", "Set up a new run.", 3),
        "filter": Key("slash", "filter", "search", "Show only topics that match some words.", 4),
        "again": Key("R", "again", "start over", "Ask the questions again."),
    },
    "run": {
        "apply": Key("a", "apply", "try remedy", "Set up a new run with the remedy applied.", 1),
        "stop": Key("x", "stop", "stop", "Stop the run after a checkpoint.", 4),
        "stop_now": Key("X", "stop_now", "stop now", "Stop the run at once, no checkpoint."),
        "resume": Key("r", "resume", "resume", "Go on with the run from its checkpoint.", 4),
        "chat": Key("t", "chat", "chat", "Talk to what came out, or try it.", 5),
        "copy": Key("y", "copy", "copy", "Copy what is shown: values, text, spec or path."),
        "export": Key("e", "export", "export", "Copy the command that exports the result.", 6),
        "previous_tab": Key("left_square_bracket", "tab(-1)", "tab before", "To the tab before."),
        "next_tab": Key("right_square_bracket", "tab(1)", "next tab", "To the next tab.", 3),
        "tab_1": Key("1", "show_tab(0)", "first tab", "To the first tab."),
        "tab_2": Key("2", "show_tab(1)", "second tab", "To the second tab."),
        "tab_3": Key("3", "show_tab(2)", "third tab", "To the third tab."),
        "tab_4": Key("4", "show_tab(3)", "fourth tab", "To the fourth tab."),
        "tab_5": Key("5", "show_tab(4)", "fifth tab", "To the fifth tab."),
        "tab_6": Key("6", "show_tab(5)", "sixth tab", "To the sixth tab."),
        "tab_7": Key("7", "show_tab(6)", "seventh tab", "To the seventh tab."),
    },
    "try_it": {
        "predict": Key("ctrl+o", "predict", "predict", "Ask the model; so does enter.", 1),
        "example": Key("ctrl+n", "example", "example", "The next row of the run's own data.", 2),
    },
    "charts": {
        "metrics": Key("m", "metrics", "metrics", "Choose which metrics are drawn.", 1),
        "smooth": Key("s", "smooth", "smooth", "Smooth the curves more, or not at all.", 2),
        "log": Key("L", "log", "log scale", "Logarithmic values in this chart, or not."),
        "across": Key("b", "across", "step/epoch/time", "Across: steps, epochs or time."),
        "cross": Key("c", "cross", "crosshair", "Read values with a crosshair, or not.", 7),
        "maximise": Key("z,enter", "maximise", "one chart", "This chart alone, or all of them."),
        "closer": Key("plus,equals_sign", "zoom(0.5)", "zoom in", "See half as much across."),
        "farther": Key("minus,underscore", "zoom(2)", "zoom out", "See twice as much across."),
        "left": Key("left,h", "sideways(-1)", "left", "Move the crosshair, or the zoomed part."),
        "right": Key("right,l", "sideways(1)", "right", "The same to the right."),
        "far_left": Key("shift+left,H", "sideways(-8)", "far left", "The same, farther."),
        "far_right": Key("shift+right", "sideways(8)", "far right", "The same, farther."),
        "all": Key("0", "whole", "see all", "See everything across."),
    },
    "log": {
        "follow": Key("f", "follow", "follow", "Stay at the end as the log grows, or not.", 1),
        "search": Key("slash", "search", "search", "Find words in the log.", 2),
        "error": Key("e", "error(True)", "next error", "To the next line that looks wrong.", 3),
        "error_before": Key("E", "error(False)", "error before", "To the one before."),
        "next": Key("n", "again(True)", "next match", "To the next match."),
        "previous": Key("N", "again(False)", "match before", "To the match before."),
        "wrap": Key("w", "wrap", "wrap", "Long lines in several rows, or cut."),
        "save": Key("S", "save", "save", "Write the whole log to a file.", 4),
        "attempt": Key("A", "attempt", "attempt", "The log of another attempt."),
        "left": Key("left,h", "sideways(-1)", "left", "See what is left of the screen."),
        "right": Key("right,l", "sideways(1)", "right", "See what is right of the screen."),
    },
    "samples": {
        "previous": Key("left,h", "prompt(-1)", "prompt before", "To the prompt before.", 2),
        "next": Key("right,l", "prompt(1)", "next prompt", "To the next prompt.", 1),
    },
    "reports": {
        "left": Key("left,h", "sideways(-1)", "columns before", "See the columns before."),
        "right": Key("right,l", "sideways(1)", "more columns", "See columns that do not fit.", 1),
    },
    "files": {
        "close": Key("escape,q,backspace", "close_file", "files", "Back to the list.", 1),
    },
    "compare": {
        "next": Key("n", "metric(1)", "next metric", "Draw the next metric alone.", 2),
        "previous": Key("N", "metric(-1)", "metric before", "Draw the metric before alone."),
        "copy": Key("y", "copy", "copy", "Copy the values or the table."),
        "previous_tab": Key("left_square_bracket", "tab(-1)", "tab before", "To the tab before."),
        "next_tab": Key("right_square_bracket", "tab(1)", "next tab", "To the next tab.", 3),
        "tab_1": Key("1", "show_tab(0)", "first tab", "To the first tab."),
        "tab_2": Key("2", "show_tab(1)", "second tab", "To the second tab."),
        "tab_3": Key("3", "show_tab(2)", "third tab", "To the third tab."),
    },
    "columns": {
        "left": Key("left,h", "sideways(-1)", "runs before", "See the run before."),
        "right": Key("right,l", "sideways(1)", "more runs", "See runs that do not fit.", 1),
    },
    "settings": {
        "next": Key("j", "app.focus_next", "next", "To the next choice."),
        "previous": Key("k", "app.focus_previous", "previous", "To the choice before."),
        "reset": Key("R", "reset", "defaults", "Put every choice back to its default.", 1),
    },
    "chat": {
        "samples": Key(
            "p,ctrl+t", "samples", "prompts", "Ask a prompt of the data; its answer shows beside.",
            4,
        ),
        "base": Key("b,f3", "base", "base", "Let the base model answer beside the adapter.", 2),
        "voice": Key("v,f4", "voice", "voice", "Let the next adapter or the base model answer.", 3),
        "all": Key("B", "all", "all", "Let everybody answer side by side, or one only."),
        "tune": Key("s,ctrl+g", "tune", "settings", "Choose how words are chosen.", 5),
        "again": Key("r,ctrl+r", "again", "again", "Answer the last question again.", 6),
        "edit": Key("e", "edit", "edit", "Change the last question and ask it again.", 7),
        "new": Key("n,ctrl+n", "new", "new chat", "Begin another conversation.", 8),
        "history": Key("h,ctrl+l", "history", "earlier", "Go on with an earlier conversation.", 9),
        "system": Key("S", "system", "system", "Write the system prompt.", 10),
        "export": Key("w", "export", "export", "Write the conversation to a file.", 11),
        "copy": Key("y", "copy_answer", "copy", "Copy the last answer."),
        "raw": Key("m", "raw", "markdown", "Show answers as Markdown, or letter by letter."),
        "unload": Key("X", "unload", "unload", "Give the model's memory back and leave."),
    },
    "chat_transcript": {
        "write": Key("i,enter", "write", "write", "Go to the prompt.", 1),
    },
    "chat_prompt": {
        "send": Key("enter", "send", "send", "Send what is typed.", 1),
        "newline": Key("ctrl+j", "newline", "new line", "Begin another line.", 12),
        "keys": Key("escape", "screen.back", "keys", "Leave the prompt, so that keys act.", 1),
    },
    "chat_settings": {
        "down": Key("j,down", "cursor(1)", "down", "One row down."),
        "up": Key("k,up", "cursor(-1)", "up", "One row up."),
        "more": Key("l,right", "move(1)", "more", "Move the slider to the right.", 1),
        "less": Key("h,left", "move(-1)", "less", "Move the slider to the left.", 1),
        "much_more": Key("L,shift+right", "move(5)", "much more", "Five steps to the right."),
        "much_less": Key("H,shift+left", "move(-5)", "much less", "Five steps to the left."),
        "type": Key("enter", "type", "type", "Type the value.", 3),
        "default": Key("d,backspace", "default", "default", "Back to the ready set's value.", 4),
    },
    "chat_dialog": {
        "remove": Key("D,delete", "remove", "remove", "Delete the line for good."),
        "close": Key("escape,q", "close", "back", "Choose nothing."),
    },
    "chat_entry": {
        "close": Key("escape", "close", "back", "Leave everything as it is.", priority=True),
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
