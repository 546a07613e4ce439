"""``layerbank fit``: from a file of texts and numbers to a run that predicts."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Protocol

import typer

from features.console.app import (
    DEVICES,
    NoEncodeOption,
    one_of,
    say,
    say_json,
    say_lines,
    saying_when_stopped,
    set_verbosity,
)
from features.errors import InputError
from features.names import DEFAULT_ENCODER
from regress.commands.making import REGRESSORS, OutOption, names_of
from regress.commands.scoring import Scoring

if TYPE_CHECKING:
    from features.keys import Text
    from regress.data.source import Source
    from regress.experiment import Experiment
    from regress.runs.run import Run

#: Where ``--help`` shows the options of stage 1.
ENCODING = "Encoding"

#: How much a search tries, where nothing else is said.
QUICK = "quick"


class Stage1(Protocol):
    """What encodes texts, as `layerbank.encoding.Encoding` does."""

    def __call__(self, texts: Sequence[Text], into: Path, recorded: Any, /) -> None:
        """As `features.filling.Encode`."""

    def tried(self, texts: Sequence[Text], into: Path) -> str:
        """What it would take; nothing is written."""


#: Makes that from --encoder, --encoder-weights, --device and --quiet.
MakeStage1 = Callable[[str | None, Path | None, str, bool], Stage1]


@dataclass(frozen=True, kw_only=True)
class Fitting(Scoring):
    """The options of `Scoring`, of which ``fit`` requires none."""

    out: OutOption = Path("run")


def fit_command_with(stage_1: MakeStage1) -> Callable[..., None]:
    """The command, with what encodes texts that the bank lacks."""

    def fit_command(
        encoder: Annotated[
            str | None,
            typer.Option(
                "--encoder",
                metavar="NAME_OR_FOLDER",
                help=f"A Hugging Face encoder.  \\[default: the bank's, or {DEFAULT_ENCODER}]",
                rich_help_panel=ENCODING,
            ),
        ] = None,
        encoder_weights: Annotated[
            Path | None,
            typer.Option(
                "--encoder-weights",
                metavar="FILE",
                help="Fine-tuned weights of that encoder.",
                rich_help_panel=ENCODING,
            ),
        ] = None,
        device: Annotated[
            str,
            typer.Option(
                "--device",
                autocompletion=one_of(*DEVICES),
                help="auto, cpu, cuda, cuda:N or mps.",
                rich_help_panel=ENCODING,
            ),
        ] = "auto",
        no_encode: NoEncodeOption = False,
        dry_run: Annotated[
            bool,
            typer.Option(
                "--dry-run",
                help="Say what encoding would take, and write nothing.",
                rich_help_panel=ENCODING,
            ),
        ] = False,
        effort: Annotated[
            str | None,
            typer.Option(
                "--effort",
                metavar="HOW",
                autocompletion=one_of("quick", "full"),
                help="quick: ridge on every block and the usual combinations, krr on the best "
                "three; full: a forward search, and krr, svr and lightgbm on the best five.",
                show_default="quick",
            ),
        ] = None,
        select: Annotated[
            list[str] | None,
            typer.Option(
                "--select",
                metavar="S",
                help="Score these blocks instead of searching, such as 'mean\\[-4:]'; any number "
                "of times.",
                show_default=False,
            ),
        ] = None,
        model: Annotated[
            list[str] | None,
            typer.Option(
                "--model",
                metavar="NAME",
                autocompletion=one_of(*REGRESSORS),
                help="ridge, krr (kernel ridge), svr, lightgbm or pairwise; any number of times. "
                "In a search, what runs on ridge's best selections.",
                show_default=False,
            ),
        ] = None,
        *,
        scoring: Fitting,
    ) -> None:
        """Encode texts, find the best layers and regressor for a number, and score it honestly.

        It makes a bank (ENCODER.bank) and a run with its report. Texts that the bank has are not
        encoded again. Without --select it searches; the score is that of the whole search, each
        fold predicted by what was chosen without it.

        Examples:

        [bold]layerbank fit train.csv --text excerpt --target target[/bold]

        [bold]layerbank fit train.csv --text excerpt --target target --select 'mean\\[:]' --model
        ridge,svr[/bold]

        Without --target it shows the columns of the file: [bold]layerbank fit train.csv[/bold]
        """
        set_verbosity(quiet=scoring.quiet)
        if scoring.input is None and scoring.repeated is None:
            raise InputError(
                "fit takes a file: `layerbank fit FILE` shows its columns, and `layerbank fit FILE "
                "--text COL --target COL` fits"
            )
        if scoring.input is not None and not scoring.target and scoring.repeated is None:
            from regress.commands.columns import show_columns

            show_columns(scoring.table(scoring.input))
            raise typer.Exit(2)
        if select and effort is not None:
            raise InputError("--effort is of a search, and --select names what to score: drop one")
        if encoder is not None and len(scoring.bank or []) > 1:
            raise InputError("several banks have an encoder each: drop --encoder")
        banks = scoring.bank or [default_bank(encoder, encoder_weights)]
        encode = stage_1(encoder, encoder_weights, device, scoring.quiet)
        if dry_run:
            _, dataset, _ = scoring.read()
            for path in banks:
                say_lines(encode.tried(dataset.texts, path))
            return
        own = {
            "--select": select, "--model": model, "--effort": effort, "--encoder": encoder,
            "--encoder-weights": encoder_weights,
        }  # fmt: skip
        how = Scored(None if no_encode else encode, select or [], names_of(model), effort or QUICK)
        _fit(replace(scoring, bank=banks if scoring.repeated is None else scoring.bank), how, own)

    return fit_command


class Scored(NamedTuple):
    """What is to be scored: parameters of `regress.fit.fit`."""

    encode: Stage1 | None
    select: Sequence[str]
    models: Sequence[str] | None
    effort: str


def default_bank(encoder: str | None, weights: Path | None) -> Path:
    """The bank in the working directory that has the encoder's name.

    >>> default_bank("sentence-transformers/all-MiniLM-L6-v2", None).name
    'all-MiniLM-L6-v2.bank'
    """
    name = Path(encoder or DEFAULT_ENCODER).expanduser().absolute().name
    return Path(f"{name}{'' if weights is None else f'-{weights.stem}'}.bank")


def _fit(scoring: Scoring, what: Scored, own: Mapping[str, Any]) -> None:
    """Score, save, and say how good it is."""
    from regress.commands.outcome import as_programs_read, outcome
    from regress.fit import fit
    from regress.repeat import repeat_run, repeat_sweep
    from regress.report.tables import show_results
    from regress.runs.save import refuse_existing
    from regress.sweep.save import cache_beside

    cache = cache_beside(scoring.out)
    refuse_existing(scoring.out, force=scoring.force, parts=cache)

    def repeat(run: Run, **how: Any) -> tuple[Experiment, Source]:
        if run.made_by == "sweep":
            return repeat_sweep(run, cache=cache, **how)
        return repeat_run(run, **how)

    with saying_when_stopped(kept=cache):
        found, source = scoring.scored(
            "fit",
            lambda bank, texts, y, **how: fit(
                texts, y, bank=bank, cache=cache, **what._asdict(), **how
            ),
            repeat,
            own=own,
        )
        found.save(scoring.out, **scoring.saving(source))
    shutil.rmtree(cache, ignore_errors=True)
    if scoring.json:
        say_json(as_programs_read(found, scoring.out))
        return
    if what.select:
        show_results(found, quiet=True)
        say_lines("")
    for line in outcome(found, scoring.out):
        say(line)
