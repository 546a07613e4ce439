"""What all command lines here share: options, help, errors as one sentence, exit codes, stdout."""

from __future__ import annotations

import inspect
import logging
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import typer
from rich.console import Console
from rich.text import Text

from features.console.show import harmless
from features.console.stand_ins import showable_json, spare_streams
from features.errors import LayerbankError
from features.paths import as_path

#: The packages, whose loggers say what is to be said on stderr.
ROOMS = ("extract", "features", "regress", "layerbank")


def one_of(*words: str) -> Any:
    """What completes an option that takes one of these words, or several with commas between."""

    def complete(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        return [f"{before}{comma}{word}" for word in words if word.startswith(last)]

    return complete


#: What ``--device`` is completed with.
DEVICES = ("auto", "cpu", "cuda", "mps")

#: Help of an argument that is an input file.
INPUT = (
    "A .csv, .tsv, .jsonl, .json, .parquet, .arrow, .feather, .xlsx or .txt file, packed or not, "
    "a saved data set's folder, or - for standard input."
)

#: Formats by the names that ``--format`` takes.
FORMATS = ("csv", "tsv", "jsonl", "json", "parquet", "arrow", "feather", "xlsx", "txt")

#: Where ``--help`` shows how the input is read.
INPUT_PANEL = "How the input is read"

InputArgument = Annotated[Path, typer.Argument(metavar="INPUT", help=INPUT, show_default=False)]

TextOption = Annotated[
    list[str] | None,
    typer.Option(
        "--text",
        metavar="COL",
        help="Column with the texts (default: text); give it again for texts to encode together.",
        show_default=False,
    ),
]

BankArgument = Annotated[
    Path, typer.Argument(metavar="BANK", help="A bank's folder.", show_default=False)
]

BankOption = Annotated[
    Path, typer.Option("--bank", metavar="DIR", help="The bank's folder.", show_default=False)
]

IdOption = Annotated[
    str | None,
    typer.Option("--id", metavar="COL", help="Column with ids, kept as they are written."),
]


@dataclass(frozen=True, kw_only=True)
class ReadingOptions:
    """How an input is read, as `features.tables.table.open_table` takes it."""

    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            autocompletion=one_of(*FORMATS),
            help="csv, tsv, jsonl, json, parquet, arrow, feather, xlsx or txt, whatever the "
            "ending.",
            rich_help_panel=INPUT_PANEL,
        ),
    ] = None
    encoding: Annotated[
        str,
        typer.Option("--encoding", help="Encoding of text formats.", rich_help_panel=INPUT_PANEL),
    ] = "utf-8"
    delimiter: Annotated[
        str | None,
        typer.Option(
            "--delimiter",
            metavar="NAME",
            autocompletion=one_of("comma", "tab", "semicolon", "pipe"),
            help="What parts the cells of csv and tsv: comma, tab, semicolon, pipe, or one "
            "character.",
            show_default="what the file shows",
            rich_help_panel=INPUT_PANEL,
        ),
    ] = None
    quoting: Annotated[
        str | None,
        typer.Option(
            "--quoting",
            metavar="KIND",
            autocompletion=one_of("double", "single", "backslash", "none"),
            help="How cells of csv and tsv are quoted: double, single, backslash (quotes inside "
            "stand behind one), or none (quotes are text).",
            show_default="what the file shows",
            rich_help_panel=INPUT_PANEL,
        ),
    ] = None
    decimal: Annotated[
        str | None,
        typer.Option(
            "--decimal",
            metavar="SIGN",
            autocompletion=one_of("point", "comma"),
            help="point (3.5) or comma (3,5) in columns of numbers.",
            show_default="what each column shows",
            rich_help_panel=INPUT_PANEL,
        ),
    ] = None
    no_header: Annotated[
        bool,
        typer.Option(
            "--no-header",
            help="The first row is data; columns are c1, c2 and so on.",
            rich_help_panel=INPUT_PANEL,
        ),
    ] = False

    def how_read(self) -> dict[str, Any]:
        """These options by name."""
        return {field.name: getattr(self, field.name) for field in fields(ReadingOptions)}


SkipEmptyOption = Annotated[
    bool, typer.Option("--skip-empty", help="Leave out rows whose text is empty.")
]

NoEncodeOption = Annotated[
    bool, typer.Option("--no-encode", help="Refuse texts that the bank lacks.")
]

ForceOption = Annotated[bool, typer.Option("--force", help="Replace what is there.")]

JsonOption = Annotated[bool, typer.Option("--json", help="Machine-readable output on stdout.")]

QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="No progress and no notes, only results and errors.")
]


class _App(typer.Typer):
    """Commands whose help flows over the width of the terminal, however the source breaks it.

    A parameter whose type is a dataclass stands for an option for each of its fields, and every
    parameter that is a path, or several, takes what `as_path` takes: a shell leaves the ``~`` of
    ``--bank=~/x`` as it is.
    """

    def command(self, name: str | None = None, **settings: Any) -> Callable[[Any], Any]:
        def register(function: Callable[..., Any]) -> Callable[..., Any]:
            paragraphs = inspect.getdoc(function) or ""
            flowing = "\n\n".join(" ".join(p.split()) for p in paragraphs.split("\n\n"))
            own = {"help": flowing} | settings
            super(_App, self).command(name, **own)(_with_fields(function))
            return function

        return register


def _with_fields(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that takes the fields of a parameter's dataclass in the parameter's place."""
    hints = get_type_hints(function, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(function).parameters.items():
        own = parameter.replace(kind=parameter.KEYWORD_ONLY, annotation=hints[name])
        parameters += _parameters(groups[name]) if name in groups else [own]
    parameters = [each.replace(annotation=_with_home(each.annotation)) for each in parameters]

    def command(**given: Any) -> Any:
        for name, group in groups.items():
            given[name] = group(**{field.name: given.pop(field.name) for field in fields(group)})
        return function(**given)

    vars(command)["__signature__"] = inspect.Signature(parameters)
    return command


def _parameters(group: Any) -> Iterator[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    for field in fields(group):
        default = inspect.Parameter.empty if field.default is MISSING else field.default
        kind = inspect.Parameter.KEYWORD_ONLY
        yield inspect.Parameter(field.name, kind, default=default, annotation=hints[field.name])


def _with_home(annotation: Any) -> Any:
    """The annotation of a parameter; that of a path says how a word becomes one."""
    kind, *metadata = get_args(annotation) or (annotation,)
    if not metadata or Path not in _types_in(kind):
        return annotation
    option = copy(metadata[0])
    option.parser = as_path
    return Annotated[kind, option]


def _types_in(kind: Any) -> Iterator[Any]:
    """A type, and those that it is put together from."""
    yield kind
    for part in get_args(kind):
        yield from _types_in(part)


def new_app(help: str, *, epilog: str | None = None) -> typer.Typer:
    """A Typer application with the settings that all command lines here share."""
    return _App(
        help=help,
        epilog=epilog,
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )


def run(app: typer.Typer, argv: Sequence[str] | None = None) -> None:
    """Run a command line and leave the process with its exit code.

    ``--debug``, anywhere among the arguments, shows the traceback of an error.
    """
    _open_closed_streams()
    spare_streams()
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    notes = logging.StreamHandler(sys.stderr)
    notes.setFormatter(_Notes())
    logging.basicConfig(handlers=[notes], level=logging.WARNING)
    set_verbosity(quiet=False)
    try:
        app(args=arguments)
    except LayerbankError as error:
        if debug:
            raise
        say(f"layerbank: error: {error}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.exit(1)
    except OSError as error:
        if debug:
            raise
        where = f"{error.filename}: " if error.filename else ""
        say(f"layerbank: error: {where}{error.strerror or error}", err=True)
        sys.exit(2)


def program() -> str:
    """What to type for ``layerbank`` in this shell: the name alone, or where it lies."""
    called = Path(sys.argv[0])
    if called.name != "layerbank" or shutil.which("layerbank") is not None:
        return "layerbank"
    return shlex.quote(os.path.relpath(called))


def _open_closed_streams() -> None:
    """Where a shell closed a stream (``>&-``), take its number before some file of a bank does.

    Libraries in C++ print to numbers, and would print into that file.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # its number is the lowest that is free
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115


@contextmanager
def saying_when_stopped(kept: Path | None = None) -> Iterator[None]:
    """After Ctrl-C, one line on stderr: whether it was for nothing, or parts are kept in `kept`."""
    try:
        yield
    except KeyboardInterrupt:
        if kept is not None and kept.is_dir():
            left = f"what is done is kept in {kept}, and the same call goes on from there"
        else:
            left = "nothing was written"
        say(f"stopped: {left}", err=True)
        raise


def set_verbosity(*, quiet: bool) -> None:
    """Notes on stderr, or silence but for warnings."""
    for room in ROOMS:
        logging.getLogger(room).setLevel(logging.WARNING if quiet else logging.INFO)


class _Notes(logging.Formatter):
    """What the packages have to say: names of files and texts in it may hold anything."""

    def format(self, record: logging.LogRecord) -> str:
        return harmless(super().format(record))


def say(line: str, *, err: bool = False) -> None:
    """Print a line on stdout, or on stderr, whatever names it holds."""
    say_lines(line.replace("\n", "␊"), err=err)


def say_lines(text: str, *, err: bool = False) -> None:
    """Print a text of several lines."""
    # Named: where stdout is ASCII, Click would write UTF-8 to a stream of its own.
    typer.echo(harmless(text), file=sys.stderr if err else sys.stdout)


def say_json(json: str) -> None:
    """Print JSON on stdout, in ASCII where that does not show all of it."""
    typer.echo(showable_json(json), file=sys.stdout)


def on_stdout(text: Text) -> None:
    """Print a text on stdout, coloured where that is a terminal and ``NO_COLOR`` is not set."""
    text.plain = harmless(text.plain)
    Console(file=sys.stdout, highlight=False, soft_wrap=True).print(text)
