"""Every I/O operation of extraction, resumption, compaction, merge, delete and repair fails once,
fails for good, or is the last one before the process is killed.

After each: one clean sentence, nothing wrong in the bank, nothing lost that was there; and the
same call again, without a fault, completes.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from features import Bank, LayerbankError, text_keys
from features.disk.atomic import TEMPORARY
from features.disk.pending import DELETING
from features.upkeep.compact import compact
from features.upkeep.delete import delete
from features.upkeep.merge import merge
from features.upkeep.verify import verify
from tests.features.disk.faults.rig import (
    TEXTS,
    Acknowledged,
    Faults,
    Killed,
    assert_sound,
    check_rows,
    extract,
    real_findings,
)

BANK, OTHER, INTO = "a.bank", "b.bank", "c.bank"


@dataclass(frozen=True)
class Scenario:
    """Something that a user does to a bank."""

    prepare: Callable[[Path], None]
    run: Callable[[Path], object]
    #: What each bank held before, and must hold at any time.
    before: dict[str, Sequence[str]] = field(default_factory=dict)
    #: What each holds when all is done.
    after: dict[str, Sequence[str]] = field(default_factory=dict)


def _run_extract(folder: Path) -> None:
    extract(folder / BANK, acknowledge=Acknowledged(folder / "acknowledged"))


def _half(folder: Path) -> None:
    extract(folder / BANK, TEXTS[:3])
    (folder / BANK / f"{TEMPORARY}0123456789abcdef").write_bytes(b"half a segment")


def _scattered(folder: Path) -> None:
    for some in (TEXTS[:2], TEXTS[2:3], TEXTS[3:], TEXTS[3:4]):
        extract(folder / BANK, some)
    extract(folder / OTHER, TEXTS[2:4])  # a bank that another process filled meanwhile
    for path in (folder / OTHER).glob("segment-*"):
        shutil.copy(path, folder / BANK / path.name)
    shutil.rmtree(folder / OTHER)


def _two_banks(folder: Path) -> None:
    extract(folder / BANK, TEXTS[:4], batch=2)
    extract(folder / OTHER, TEXTS[3:], batch=3)
    extract(folder / INTO, TEXTS[1:2])


def _with_a_copy(folder: Path) -> None:
    """A segment that loses one row and one that loses all, of which ``retired/`` has a copy."""
    extract(folder / BANK, batch=3)
    (folder / BANK / "retired").mkdir()
    path = max((folder / BANK).glob("segment-*"))
    shutil.copy(path, folder / BANK / "retired")


def _broken(folder: Path) -> None:
    path = folder / BANK
    extract(path, batch=2)
    (path / f"{TEMPORARY}0123456789abcdef").write_bytes(b"half a segment")
    segment = sorted(path.glob("segment-*"))[1]
    data = bytearray(segment.read_bytes())
    data[-5] ^= 1
    segment.write_bytes(data)
    for name in ("commits.log", "bank.json"):
        (path / name).write_text((path / name).read_text().replace("1", "2", 1))
    (path / "keys.index").write_text("no index")


def _repair(folder: Path) -> None:
    verify(folder / BANK, repair=True)
    extract(folder / BANK, acknowledge=Acknowledged(folder / "acknowledged"))


SCENARIOS = {
    "extract": Scenario(lambda folder: None, _run_extract, {}, {BANK: TEXTS}),
    "resume": Scenario(_half, _run_extract, {BANK: TEXTS[:3]}, {BANK: TEXTS}),
    "compact": Scenario(
        _scattered, lambda folder: compact(folder / BANK), {BANK: TEXTS}, {BANK: TEXTS}
    ),
    "merge": Scenario(
        _two_banks,
        lambda folder: merge([folder / BANK, folder / OTHER], folder / INTO),
        {BANK: TEXTS[:4], OTHER: TEXTS[3:], INTO: TEXTS[1:2]},
        {INTO: TEXTS},
    ),
    "delete": Scenario(
        _with_a_copy,
        lambda folder: delete(folder / BANK, text_keys([TEXTS[1], *TEXTS[3:]])),
        {BANK: [TEXTS[0], TEXTS[2]]},
        {BANK: [TEXTS[0], TEXTS[2]]},
    ),
    "repair": Scenario(_broken, _repair, {BANK: [*TEXTS[:2], *TEXTS[4:]]}, {BANK: TEXTS}),
}


@pytest.mark.parametrize(
    "how",
    [
        "tear",
        0,
        pytest.param(1, marks=pytest.mark.slow),
        pytest.param("kill", marks=pytest.mark.slow),
        pytest.param(2, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("name", SCENARIOS)
def test_each_operation_in_turn(
    memory: Path, name: str, how: str | int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("features.upkeep.findings._JUST_MADE", 0)
    scenario, template = SCENARIOS[name], memory / "template"
    template.mkdir()
    scenario.prepare(template)
    n_faults = n_errors = 0
    for for_good in (False, True) if isinstance(how, int) else (False,):
        at = 0
        while True:
            at += 1
            folder = memory / "work"
            shutil.copytree(template, folder)
            faults = Faults(at, how, for_good=for_good)
            n_errors += _suffer(scenario, folder, faults)
            n_faults += faults.met is not None
            _check(scenario, folder, faults)
            shutil.rmtree(folder)
            if faults.met is None:
                break
    assert n_faults > 30
    assert n_errors > 15


def _suffer(scenario: Scenario, folder: Path, faults: Faults) -> int:
    """Run with the fault; 1 when that ended in an error, which must be a clean sentence."""
    try:
        with faults:
            scenario.run(folder)
    except Killed:
        return 1
    except LayerbankError as error:
        sentence = str(error)
    else:
        return 0
    assert "\n" not in sentence
    assert ": " in sentence
    return 1


def _check(scenario: Scenario, folder: Path, faults: Faults) -> None:
    where = f"{faults.how} at {faults.at} ({faults.met})"
    try:
        told = [text for some in Acknowledged(folder / "acknowledged").batches() for text in some]
        repairing = scenario.run is _repair
        if repairing:
            assert len([*folder.rglob("segment-*")]) >= 3  # nothing was deleted
        else:
            for bank, texts in scenario.before.items():
                check_rows(folder / bank, texts)
                assert_sound(folder / bank)
            check_rows(folder / BANK, told)
            for bank in scenario.after:
                assert_sound(folder / bank)
        scenario.run(folder)
        for bank, texts in scenario.after.items():
            assert set(check_rows(folder / bank, texts)) == set(texts)
            assert real_findings(verify(folder / bank)) == []
            assert not (folder / bank / DELETING).exists()
            if scenario.run is not _run_extract:
                assert sum(segment.n for segment in Bank.open(folder / bank).segments) == len(texts)
        for bank, texts in scenario.before.items():
            check_rows(folder / bank, texts)
    except BaseException as error:
        error.add_note(where)
        raise
