"""Saved runs of every kind to be damaged, and every command that reads them."""

from __future__ import annotations

import hashlib
import json
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from features.console.app import new_app
from features.console.app import run as run_app
from features.errors import InputError
from features.filling import Encode
from features.keys import Text
from regress.blend import blend, save_blend
from regress.commands.blend import blend_command
from regress.commands.explain import explain_command_with
from regress.commands.predict import predict_command_with
from regress.commands.regress import regress_command
from regress.commands.sweep import sweep_command
from regress.sweep import save_sweep, sweep
from tests.regress.conftest import MadeUpTask, made_up_task, saved_without_reports
from tests.regress.explain.saved import save

KINDS = ("run", "swept", "blend")

#: The best models' files, by run.
MODELS = {"run": "models/000-ridge.npz", "swept": "models/000-ridge.npz",
          "blend": "models/000-blend.zip"}  # fmt: skip

#: Longer than any command takes here, seconds.
HANGS = 60.0


class Runs(NamedTuple):
    """A run, a sweep and a blend of the two, of one file; they lie in one folder."""

    task: MadeUpTask
    table: Path
    folder: Path


def make_runs(folder: Path) -> Runs:
    task = made_up_task(folder, 60)
    with saved_without_reports():
        run = save(task, folder / "run", select="mean[1:]")
        found = sweep(task.bank, task.texts, task.y, models=["ridge"], n_best=1, greedy=False)
        save_sweep(found, folder / "swept", source=run.description["input"])
        save_blend(blend([folder / "run", folder / "swept"]), folder / "blend")
    return Runs(task, folder / "run.csv", folder)


def encode_with(encoder: str | None, *_: object) -> Encode:
    """What stands for stage 1: it tells which encoder it would have taken."""

    def encode(texts: Sequence[Text], into: Path, recorded: Mapping[str, Any]) -> None:
        taken = encoder or recorded["source"].get("encoder")
        raise InputError(f"{len(texts)} texts would have been encoded by {taken} into {into}")

    return encode


app = new_app("Every command that reads runs.")
app.command("predict")(predict_command_with(encode_with))
app.command("explain")(explain_command_with(encode_with))
app.command("blend")(blend_command)
app.command("regress")(regress_command)
app.command("sweep")(sweep_command)

#: What each command is given of a run, and of the other two.
COMMANDS: dict[str, Callable[[Path, Runs], list[object]]] = {
    "predict": lambda run, runs: ["predict", run, runs.table, "--id", "id"],
    "explain": lambda run, runs: ["explain", run, runs.table, "--id", "id", "--only", "003"],
    "blend": lambda run, runs: ["blend", run, runs.folder / "swept"],
    "regress --from": lambda run, _: ["regress", "--from", run],
    "sweep --from": lambda run, _: ["sweep", "--from", run],
    "blend --from": lambda run, _: ["blend", "--from", run],
}


@contextmanager
def not_for_ever() -> Iterator[None]:
    """TimeoutError in what would wait without an end."""

    def stop(*_: object) -> None:
        raise TimeoutError("it hangs")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, HANGS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Caller:
    """Types commands; each writes to a place of its own."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys, self.n = folder, capsys, 0

    def __call__(self, *arguments: object) -> tuple[int, str]:
        """The exit code, and stderr."""
        self.n += 1
        words = [str(argument) for argument in arguments]
        if words[0] != "explain":
            words += ["--out", str(self.folder / f"out-{self.n}{'.csv' * (words[0] == 'predict')}")]
        with not_for_ever(), saved_without_reports(), pytest.raises(SystemExit) as caught:
            run_app(app, words)
        return int(caught.value.code or 0), self.capsys.readouterr().err

    def refused(self, *arguments: object) -> str:
        """What is said, in one sentence, of what is refused."""
        code, err = self(*arguments)
        assert code == 2, (arguments, err)
        assert err.startswith("layerbank: error: "), err
        assert err.count("\n") == 1, err
        return err


def edit(run: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Write a run.json anew, as a stranger would."""
    description = json.loads((run / "run.json").read_text(encoding="utf-8"))
    change(description)
    (run / "run.json").write_text(json.dumps(description), encoding="utf-8")


def put(value: Any, *keys: Any) -> Callable[[Any], None]:
    """A change to a value under these keys."""

    def change(description: Any) -> None:
        for key in keys[:-1]:
            description = description[key]
        description[keys[-1]] = value

    return change


def signed(run: Path, number: int = 0) -> None:
    """Let run.json say of a model's file what it hashes to."""

    def change(description: Any) -> None:
        result = description["results"][number]
        content = (run / result["file"]).read_bytes()
        result["sha256"] = hashlib.sha256(content).hexdigest()

    edit(run, change)
