"""The command line's reference, as Markdown, out of the commands themselves: never stale."""

from __future__ import annotations

import inspect
import re
from typing import Any

import typer.main
from sphinx.application import Sphinx

from layerbank.cli import app

#: What a help text holds besides words: commands, quoted selections, options.
_CODE = re.compile(
    r"\[bold\](?P<command>.*?)\[/bold\]|'(?P<quoted>[^' ]*)'|(?P<option>--[a-z][\w-]*)"
)


def reference() -> str:
    """Every command of ``layerbank``: how it is called, what it does, each argument and option."""
    root: Any = typer.main.get_command(app)
    return "\n\n".join(_command(name, command) for name, command in root.commands.items())


def _command(name: str, command: Any) -> str:
    context = command.make_context(name, [], resilient_parsing=True)
    records = [
        (parameter, *record)
        for parameter in command.params
        if (record := parameter.get_help_record(context))
    ]
    # As the user types them: what has to be there comes first.
    records.sort(key=lambda record: (record[0].param_type_name, not record[0].required))
    pieces = []
    for parameter, called, _ in records:
        called = _called(called)
        if parameter.required:
            pieces.append(called)
        elif parameter.param_type_name == "argument":
            pieces.append(f"[{called}]")
    told = [f"## {name}", f"```text\nlayerbank {name} {' '.join(pieces)} [OPTIONS]\n```"]
    told += map(_prose, inspect.cleandoc(command.help or "").split("\n\n"))
    told += [f"`{_called(called)}`\n: {_prose(meaning)}" for _, called, meaning in records]
    return "\n\n".join(told)


def _called(record: str) -> str:
    """An option and what it takes, ``--id COL``, without Python's name of the type."""
    return re.sub(r" <[^>]*>", "", record)


def _prose(text: str) -> str:
    """A help text with Rich's markup as Markdown's: commands as code, brackets as they are."""
    text = re.sub(r"\[default: \((.*?)\)\]", r"[default: \1]", " ".join(text.split()))
    text = text.replace("\\[", "[")
    told, end = "", 0
    for match in _CODE.finditer(text):
        told += f"{_escaped(text[end : match.start()])}`{match[match.lastgroup or 0]}`"
        end = match.end()
    return told + _escaped(text[end:])


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_<>\[\]{}#|])", r"\\\1", text)


def fill_in(app: Sphinx, docname: str, source: list[str]) -> None:
    """Write the reference into the page that has a place for it."""
    if docname == "cli":
        source[0] = source[0].replace("<!-- commands -->", reference())


def setup(app: Sphinx) -> dict[str, Any]:
    """What Sphinx calls."""
    app.connect("source-read", fill_in)
    # What it is made from is no file that Sphinx watches.
    app.connect("env-get-outdated", lambda *_: ["cli"])
    return {"parallel_read_safe": True}
