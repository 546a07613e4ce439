"""``python -m regress``: this stage's commands, which encode nothing."""

from __future__ import annotations

from features.console.app import new_app, run
from regress.commands.blend import blend_command
from regress.commands.compare import compare_command
from regress.commands.info import info_command
from regress.commands.predict import predict_command_with
from regress.commands.regress import regress_command
from regress.commands.report import report_command
from regress.commands.sweep import sweep_command

app = new_app("Stage 2: regressors on a bank. Texts the bank lacks are added by stage 1, extract.")
app.command("regress")(regress_command)
app.command(
    "predict",
    help="Predict texts that a bank holds with a saved run.\n\nExample: [bold]python -m regress "
    "predict run test.csv --text excerpt --id id --out submission.csv[/bold]",
)(predict_command_with(None))
app.command("sweep")(sweep_command)
app.command("blend")(blend_command)
app.command("compare")(compare_command)
app.command("report")(report_command)
app.command("info")(info_command)


def main() -> None:
    """Entry of ``python -m regress``."""
    run(app)
