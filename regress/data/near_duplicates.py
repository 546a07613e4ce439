"""Texts that are nearly the same, and those that folds tear apart.

Texts are compared as sets of their runs of three words, in lower case and in one Unicode form.
MinHash finds the pairs that may be alike without comparing all (A. Broder, *On the resemblance and
containment of documents*, 1997): two sets' smallest hashes agree with a probability equal to their
Jaccard similarity. Every pair that is found is then compared in full, so that none is counted in
error; of those 0.8 alike, one in a thousand is missed, and of those 0.9 alike, one in ten million.
No encoder is asked: its vectors of unlike texts can be 0.99 alike.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from features.keys import Text

#: Share of common three-word runs from which two texts count as nearly the same.
ALIKE = 0.8

#: More texts than this are not compared: reading their words would take longer than ridge.
MAX_TEXTS = 100_000

#: Bands of hashes, and hashes to a band: 1 - (1 - 0.8^5)^18 = 0.999.
BANDS, HASHES = 18, 5

#: Texts of one bucket that are compared with each other: boilerplate would give millions of pairs.
MAX_BUCKET = 50

_WORD = re.compile(r"\w+")

Numbers = NDArray[np.uint64]


@dataclass(frozen=True)
class NearDuplicates:
    """How many texts are nearly the same as another that is not equal to them.

    Attributes
    ----------
    pairs
        Pairs of distinct texts that are nearly the same.
    straddling
        Those whose texts stand in different folds, and the first of them by row (0-based).
    """

    pairs: int
    straddling: int
    first: tuple[int, int] | None


def near_duplicates(texts: Sequence[Text], folds: NDArray[np.int64]) -> NearDuplicates | None:
    """Count pairs of nearly equal texts; None for more than `MAX_TEXTS`.

    Parameters
    ----------
    texts
        n_samples texts; of equal ones the first counts.
    folds
        Shape (n_samples,): the fold of each.
    """
    if len(texts) > MAX_TEXTS:
        return None
    rows = list({text: row for row, text in reversed([*enumerate(texts)])}.values())[::-1]
    shingles = [_shingles(texts[row]) for row in rows]
    found = sorted(
        (rows[a], rows[b])
        for a, b in _candidates(_signatures(shingles))
        if _jaccard(shingles[a], shingles[b]) >= ALIKE
    )
    torn = [(a, b) for a, b in found if folds[a] != folds[b]]
    return NearDuplicates(len(found), len(torn), torn[0] if torn else None)


def _shingles(text: Text) -> Numbers:
    """Hashes of each run of three words, each once."""
    parts = text if isinstance(text, tuple) else (text,)
    plain = (unicodedata.normalize("NFC", part.lower()) for part in parts)
    words = [zlib.crc32(word.encode()) for part in plain for word in _WORD.findall(part)]
    if len(words) < 3:
        words = [*words, 0, 0, 0][:3]
    w = np.array(words, dtype=np.uint64)
    mixed = (w[:-2] * np.uint64(0x9E3779B97F4A7C15)) ^ (w[1:-1] * np.uint64(0xC2B2AE3D27D4EB4F))
    return np.unique(mixed + w[2:] * np.uint64(0x165667B19E3779F9))


def _signatures(shingles: Sequence[Numbers]) -> Numbers:
    """The smallest of each hash over each text's runs, shape (n_texts, BANDS * HASHES)."""
    rng = np.random.default_rng(0)
    factors = rng.integers(1, 1 << 63, BANDS * HASHES, dtype=np.uint64) * 2 + 1
    shifts = rng.integers(0, 1 << 63, BANDS * HASHES, dtype=np.uint64)
    signatures = np.empty((len(shingles), BANDS * HASHES), dtype=np.uint64)
    for number, hashes in enumerate(shingles):
        # A factor mixes upwards alone, so that the low bits are folded in before.
        mixed = (hashes ^ (hashes >> np.uint64(32)))[:, None] * factors + shifts
        signatures[number] = (mixed >> np.uint64(16)).min(axis=0)
    return signatures


def _candidates(signatures: Numbers) -> set[tuple[int, int]]:
    """Pairs of texts with an equal band of hashes."""
    pairs: set[tuple[int, int]] = set()
    for band in np.split(signatures, BANDS, axis=1):
        _, which, counts = np.unique(band, axis=0, return_inverse=True, return_counts=True)
        shared = np.flatnonzero(counts[which.reshape(-1)] > 1)
        buckets: dict[int, list[int]] = {}
        for row in shared.tolist():
            buckets.setdefault(int(which.reshape(-1)[row]), []).append(row)
        for bucket in buckets.values():
            pairs.update(combinations(bucket[:MAX_BUCKET], 2))
    return pairs


def _jaccard(a: Numbers, b: Numbers) -> float:
    common = len(np.intersect1d(a, b, assume_unique=True))
    return common / (len(a) + len(b) - common)
