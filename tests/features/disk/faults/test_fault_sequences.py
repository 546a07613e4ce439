"""Any sequence of what users do, and of kills, against a dictionary as the model."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from features import Bank, text_keys
from features.upkeep.compact import compact
from features.upkeep.delete import delete
from features.upkeep.merge import merge
from features.upkeep.verify import verify
from tests.features.disk.faults.rig import EVERYTHING, Faults, Killed, extract, real_findings
from tests.made_up import values_of

TEXTS = [f"text {i}" for i in range(12)]
_some_texts = st.lists(st.sampled_from(TEXTS), min_size=1, max_size=5, unique=True)


class BankMachine(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.bank = self.folder / "a.bank"
        self.model: dict[str, np.ndarray] = {}
        self.extract(TEXTS[:1], 1)

    def teardown(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _remember(self, texts: list[str]) -> None:
        setup: Any = Bank.open(self.bank).setup
        self.model |= {text: values_of(text, setup).ravel() for text in texts}

    @rule(texts=_some_texts, batch=st.integers(1, 4))
    def extract(self, texts: list[str], batch: int) -> None:
        assert extract(self.bank, texts, batch=batch) == len({*texts} - {*self.model})
        self._remember(texts)

    @rule(texts=_some_texts, batch=st.integers(1, 3), at=st.integers(1, 60))
    def killed_extraction(self, texts: list[str], batch: int, at: int) -> None:
        told: list[str] = []
        with contextlib.suppress(Killed), Faults(at, "tear"):
            extract(self.bank, texts, batch=batch, acknowledge=told.extend)
        # What was committed and not yet acknowledged may or may not be there.
        there = Bank.open(self.bank).contains(texts)
        self._remember([text for text, known in zip(texts, there, strict=True) if known])
        assert {*told} <= {*self.model}

    @rule(size=st.sampled_from([1, 60_000, 1 << 20]))
    def compact(self, size: int) -> None:
        compact(self.bank, segment_bytes=size)
        segments = Bank.open(self.bank).segments
        assert sum(segment.n for segment in segments) == len(self.model)

    @rule(at=st.integers(1, 120))
    def killed_compaction(self, at: int) -> None:
        with contextlib.suppress(Killed), Faults(at, "tear"):
            compact(self.bank)

    @rule(texts=_some_texts, killed_at=st.integers(0, 80))
    def merge(self, texts: list[str], killed_at: int) -> None:
        other = self.folder / "other.bank"
        extract(other, texts, batch=2)
        try:
            with Faults(killed_at, "tear"):
                merge([other], self.bank)
        except Killed:
            merge([other], self.bank)
        self._remember(texts)
        shutil.rmtree(other)

    @rule(texts=_some_texts, killed_at=st.integers(0, 80))
    def delete(self, texts: list[str], killed_at: int) -> None:
        try:
            with Faults(killed_at, "tear"):
                delete(self.bank, text_keys(texts))
        except Killed:
            delete(self.bank, text_keys(texts))
        self.model = {text: row for text, row in self.model.items() if text not in texts}

    @rule(which=st.integers(0, 20), at=st.integers(0, 1 << 20), killed_at=st.integers(0, 40))
    def damage_and_repair(self, which: int, at: int, killed_at: int) -> None:
        names = sorted(self.bank.glob("segment-*"))
        if not names:
            return
        path = names[which % len(names)]
        data = bytearray(path.read_bytes())
        data[at % len(data)] ^= 16
        path.unlink()
        path.write_bytes(data)
        assert any(finding.name == path.name for finding in verify(self.bank).findings)
        try:
            with Faults(killed_at, "tear"):
                verify(self.bank, repair=True)
        except Killed:
            verify(self.bank, repair=True)
        there = Bank.open(self.bank).contains(TEXTS)
        kept = {text for text, known in zip(TEXTS, there, strict=True) if known}
        assert kept <= {*self.model}
        self.model = {text: self.model[text] for text in kept}

    @rule()
    def verify(self) -> None:
        assert real_findings(verify(self.bank)) == []

    @invariant()
    def bank_is_the_model(self) -> None:
        bank = Bank.open(self.bank)
        assert bank.n_texts == len(self.model)
        assert {t for t, there in zip(TEXTS, bank.contains(TEXTS), strict=True) if there} == {
            *self.model
        }
        if self.model:
            matrix = bank.matrix([*self.model], EVERYTHING)
            np.testing.assert_array_equal(matrix, np.stack([*self.model.values()]))


TestSequences = BankMachine.TestCase
TestSequences.settings = settings(
    max_examples=25,
    stateful_step_count=15,
    suppress_health_check=[*HealthCheck],
)
