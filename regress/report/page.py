"""``report.html``: one file that needs nothing but a browser.

Two scripts are in the page, the charts' engine (Vega) and its own; the policy in its head names
them by their hashes, so that a browser runs no other, and loads nothing at all. Everything that a
user wrote is escaped: in the page by the template engine, and in the data by `embedded_json`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import altair as alt
import vl_convert
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from features.console.show import encoder_name
from features.disk.cache import kept_text
from regress.report.contents import Contents
from regress.report.figure import Figure
from regress.report.heat_maps import decimals
from regress.report.tables import setting_text, share

Item = TypeVar("Item")

#: How charts look on every background; the page's style sheet gives text and lines their colours.
CONFIG: Mapping[str, Any] = {
    "background": "transparent",
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {"grid": True, "labelFontSize": 11, "titleFontSize": 12, "titleFontWeight": 500,
             "labelLimit": 170, "tickCount": 6},
    "axisBand": {"grid": False},
    "legend": {"labelFontSize": 11},
}  # fmt: skip


def render(
    drawn: Sequence[tuple[Contents, Sequence[Figure]]],
    description: Mapping[str, Any],
    run: Path,
    notes: Sequence[str],
) -> str:
    """The whole page.

    Parameters
    ----------
    drawn
        Each target's contents with its figures.
    description
        What ``run.json`` holds.
    run
        The run's folder.
    notes
        What has to be said beside the scores, a sentence each.
    """
    engine, script = Markup(chart_engine()), Markup(_page_file("report.js"))
    data = {
        f"t{number}": {
            "points": contents.points(),
            "figures": {figure.name: _spec(figure) for figure in figures},
        }
        for number, (contents, figures) in enumerate(drawn)
    }
    environment = Environment(
        loader=PackageLoader("regress.report", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        drawn=drawn,
        run=run,
        description=description,
        folds=description["folds"],
        notes=notes,
        command=repeat_command(description, run),
        worst=[_worst(contents) for contents, _ in drawn],
        targets=[contents.target for contents, _ in drawn],
        encoders=_encoders(description),
        made_by=_made_by(description),
        decimals=decimals,
        setting=setting_text,
        share=share,
        breaking=breaking,
        style=Markup(_page_file("report.css")),
        engine=engine,
        script=script,
        hashes=" ".join(f"'sha256-{_sha256(text)}'" for text in (engine, script)),
        data=Markup(embedded_json(data)),
    )


def repeat_command(description: Mapping[str, Any], run: Path) -> str:
    """What to type to have this run again.

    Parameters
    ----------
    description
        What ``run.json`` holds.
    run
        The run's folder.
    """
    made = _made_by(description)
    # With one bank a fold, lines of Python would need the pattern of their paths.
    with_folds = any("fold" in bank for bank in description["banks"])
    if made == "blend" or with_folds or description.get("input") is not None:
        return f"layerbank {made} --from {shlex.quote(str(run))} --out again"
    return _python(description)


def breaking(name: str) -> Markup:
    """A name that a narrow column breaks behind its plus signs."""
    return Markup("+<wbr>").join(escape(part) for part in name.split("+"))


def _made_by(description: Mapping[str, Any]) -> str:
    return next((name for name in ("blend", "sweep") if name in description), "regress")


def _encoders(description: Mapping[str, Any]) -> list[str]:
    """The encoders of a run's banks by their short names, each once."""
    named = (encoder_name(bank["source"].get("encoder") or "") for bank in description["banks"])
    return [*dict.fromkeys(name or "an unknown encoder" for name in named)]


def _python(description: Mapping[str, Any]) -> str:
    folds = description["folds"]
    banks = [bank["path"] for bank in description["banks"]]
    seeds = [folds["seed"], *(split["seed"] for split in folds.get("repeats") or ())]
    arguments = [
        f"{_one_or_all(banks)!r}, texts, y",
        *([] if "sweep" in description else [f"select={_selections(description)}"]),
        f"models={[*description['regressors']]}",
        "folds=folds"
        if folds.get("labels")
        else f"cv={folds['n_folds']}, folds={folds['scheme']!r}, random_state={_one_or_all(seeds)}",
        *(["groups=groups"] if folds["scheme"] == "group" else []),
        *(["skip_missing=True"] if _lacks_targets(description["texts"]) else []),
        *(["sample_weight=weights"] if description["texts"].get("weighted") else []),
    ]
    called = ("regress.sweep", "sweep") if "sweep" in description else ("layerbank", "evaluate")
    inside = "".join(f"    {argument},\n" for argument in arguments)
    return (
        f"from {called[0]} import {called[1]}\n\n"
        f"experiment = {called[1]}(\n{inside})\nexperiment.save('again')"
    )


def _lacks_targets(texts: Mapping[str, Any]) -> bool:
    return "n_with_target" in texts or bool((texts.get("left_out") or {}).get("without_target"))


def _selections(description: Mapping[str, Any]) -> list[str]:
    """As they were asked for; none for a sweep, which finds its own."""
    if "sweep" in description:
        return list(description.get("selections") or ())
    asked = description.get("selections") or [result["select"] for result in description["results"]]
    return [*dict.fromkeys(asked)]


def _one_or_all(values: list[Item]) -> Item | list[Item]:
    return values if len(values) > 1 else values[0]


def embedded_json(data: object) -> str:
    """JSON that may stand inside a ``<script>`` element, whatever its strings hold."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@cache
def chart_engine() -> str:
    """Vega, Vega-Lite and vega-embed as one script, of the version that the charts are written in.

    It is bundled once a machine, which takes longer than to fit and draw a small run.

    Raises
    ------
    ValueError
        The script could not stand inside a page.
    """
    lite = engine_version()
    script = kept_text(
        f"charts-{lite}-{version('vl-convert-python')}.js",
        lambda: str(vl_convert.javascript_bundle(vl_version=lite)),  # type: ignore[call-arg]
    )
    if "</script" in script.lower() or "<!--" in script or "\r" in script:
        raise ValueError("the charts' engine holds a mark that would end its script element")
    return script


def engine_version() -> str:
    """The version of Vega-Lite that the charts are written in, such as ``6.4``."""
    return ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])


def _spec(figure: Figure) -> dict[str, Any]:
    spec: dict[str, Any] = figure.chart.properties(width="container").to_dict(validate=True)
    spec["config"] = {**spec.get("config", {}), **CONFIG}
    return spec


def _worst(contents: Contents) -> list[dict[str, Any]]:
    return [
        {
            "true": contents.y[row],
            "predicted": contents.predicted[row],
            "residual": contents.residuals[row],
            "length": contents.lengths[row],
            **vars(quote),
        }
        for row, quote in zip(contents.worst, contents.quotes, strict=True)
    ]


def _page_file(name: str) -> str:
    return (resources.files("regress.report") / "page" / name).read_text(encoding="utf-8")


def _sha256(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
