"""What the values in a ``run.json`` may be, and which of them have to fit each other.

Names become parts of paths, numbers become the sizes of arrays.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from features.disk.format import fingerprint
from features.names import is_plain_name
from features.selection import POOLER
from features.sentence import derived, n_parts

#: The folder of a run's models.
MODELS_FOLDER = "models"

#: Numbers that are larger count nothing that a run has.
LARGEST = 2**48


def refuse_values(value: Any, name: str = "") -> None:
    """ValueError for a number that is not finite or too large.

    Texts may hold what commands a terminal, as columns of tables do: what prints them sees to that.
    """
    if isinstance(value, dict):
        for key, inner in value.items():
            refuse_values(inner, f"{name}.{key}".removeprefix("."))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            refuse_values(inner, f"{name}[{number}]")
    elif isinstance(value, int):
        if abs(value) >= 2**64:
            raise ValueError(f"{name} is an integer of more than 64 bits")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} is not finite")


def refuse_unfitting(description: Mapping[str, Any]) -> None:
    """ValueError unless names are names, and numbers fit each other."""
    texts, folds = description["texts"], description["folds"]
    _refuse_size(texts["n"], "texts.n", 1)
    for target, count in texts.get("n_with_target", {}).items():
        if target not in description["targets"]:
            raise ValueError("texts.n_with_target names none of its targets")
        _refuse_size(count, "texts.n_with_target", folds["n_folds"], texts["n"])
    _refuse_size(folds["n_folds"], "folds.n_folds", 2, texts["n"])
    if folds["labels"] and len({*folds["labels"]}) != folds["n_folds"]:
        raise ValueError("folds.labels are not one for each fold")
    setups: dict[str, Mapping[str, Any]] = {}
    for number, bank in enumerate(description["banks"]):
        where = f"banks[{number}]"
        if not is_plain_name(bank["name"]) or bank["name"] in setups:
            raise ValueError(f"{where}.name is no name of its own")
        if bank.get("fold") is not None and not is_plain_name(bank["fold"]):
            raise ValueError(f"{where}.fold cannot stand in a path")
        _refuse_size(bank["setup"]["hidden_size"], f"{where}.setup.hidden_size", 1)
        if fingerprint(bank["setup"]) != bank["fingerprint"]:
            raise ValueError(f"{where}.fingerprint is not that of its setup")
        setups[bank["name"]] = bank["setup"]
    for number, result in enumerate(description["results"]):
        where = f"results[{number}]"
        if result["target"] not in description["targets"]:
            raise ValueError(f"{where}.target is none of its targets")
        _refuse_file(result["file"], f"{where}.file")
        if not setups.keys() >= {term["bank"] for term in result["blocks"]}:
            raise ValueError(f"{where}.blocks are of none of its banks")
        if not all(_are_blocks(term["blocks"], setups[term["bank"]]) for term in result["blocks"]):
            raise ValueError(f"{where}.blocks are none of its banks' blocks")
        if any(
            term["average"] and any(n_parts(block[0]) > 1 for block in term["blocks"])
            for term in result["blocks"]
        ):
            raise ValueError(f"{where}.blocks have no average")
        widths = [
            setups[term["bank"]]["hidden_size"]
            * (1 if term["average"] else sum(n_parts(block[0]) for block in term["blocks"]))
            for term in result["blocks"]
        ]
        if sum(widths) != result["n_columns"] or not widths:
            raise ValueError(f"{where}.n_columns is not what its blocks have, {sum(widths)}")


def _are_blocks(blocks: Sequence[Any], setup: Mapping[str, Any]) -> bool:
    """Whether these are some of a bank's blocks, each a pooling and a layer."""
    poolings, layers = setup["poolings"], range(setup["n_layers"])
    return bool(blocks) and all(
        block == [POOLER, None] if setup["pooler"] and block[:1] == [POOLER]
        else len(block) == 2 and block[1] in layers and _is_pooling(block[0], poolings)
        for block in blocks
    )  # fmt: skip


def _is_pooling(name: Any, poolings: Sequence[str]) -> bool:
    """Whether a bank has a pooling, or all that one is derived from."""
    made_of = derived(name) if isinstance(name, str) else None
    return name in poolings if made_of is None else {*made_of.poolings} <= {*poolings}


def _refuse_size(number: int, name: str, least: int, most: int = LARGEST) -> None:
    if not least <= number <= most:
        raise ValueError(f"{name} is {number}")


def _refuse_file(file: str, name: str) -> None:
    path = PurePosixPath(file)
    if path.parent != PurePosixPath(MODELS_FOLDER) or not is_plain_name(path.name):
        raise ValueError(f"{name} is no file below {MODELS_FOLDER}/")
