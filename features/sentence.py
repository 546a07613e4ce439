"""The selection ``sentence``: what the encoder's sentence-transformers folder makes of a text.

Such a folder says how the last layer is pooled, and whether rows are brought to unit length. A bank
records that (:data:`FACTS`), and derives ``sentence`` from its stored blocks when it is read. What
is no block as it stands has a name that says how it is derived, in place of a pooling's::

    unit(mean+cls)     these poolings of a layer side by side, each row divided by its length
    sqrt_len(mean)     the sum over the tokens divided by the root of their number

Such names stand in runs, and mean the same for every bank that holds the poolings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

#: The selection's name, and the member of a bank's ``source`` that says what it means.
SENTENCE, FACTS = "sentence", "sentence_transformers"

#: The modules that it may be made by: always the first two.
MODULES = ("Transformer", "Pooling", "Normalize")

#: A mean that is not divided by the number of tokens, but by its root.
SQRT_LEN = "sqrt_len(mean)"

#: Ways of pooling by their names in such a folder, and what they are made of here.
MODES = {"cls": "cls", "mean": "mean", "max": "max", "mean_sqrt_len_tokens": SQRT_LEN}

_PART = r"(?:[A-Za-z_]\w*|sqrt_len\(mean\))"
_UNIT = re.compile(rf"unit\(({_PART}(?:\+{_PART})*)\)", re.ASCII)


class Derived(NamedTuple):
    """A block that is made of stored ones."""

    parts: tuple[str, ...]
    """Poolings, or :data:`SQRT_LEN`."""
    unit: bool
    """Whether each row is divided by its length."""

    @property
    def poolings(self) -> tuple[str, ...]:
        """The poolings that must be stored."""
        return tuple("mean" if part == SQRT_LEN else part for part in self.parts)


@lru_cache
def derived(pooling: str) -> Derived | None:
    """What a pooling's name says of how it is derived; None for one that is stored.

    >>> derived("unit(mean+cls)")
    Derived(parts=('mean', 'cls'), unit=True)
    >>> derived("mean")
    """
    if pooling == SQRT_LEN:
        return Derived((SQRT_LEN,), False)
    match = _UNIT.fullmatch(pooling)
    return None if match is None else Derived(tuple(match[1].split("+")), True)


def n_parts(pooling: str) -> int:
    """How many blocks stand side by side in a block of such a pooling."""
    found = derived(pooling)
    return 1 if found is None else len(found.parts)


def sentence_poolings(setup: Mapping[str, Any], source: Mapping[str, Any]) -> tuple[str, ...] | str:
    """The poolings of the last layer that ``sentence`` concatenates, or why a bank has none.

    Parameters
    ----------
    setup, source
        The bank's.
    """
    facts = source.get(FACTS)
    if facts is None:
        return (
            "it records no sentence-transformers folder; of any encoder, mean[-1] is the mean of "
            "the last layer"
        )
    if why := _beyond(facts, setup):
        return why
    parts = [MODES[mode] for mode in facts["poolings"]]
    needed = ["mean" if part == SQRT_LEN else part for part in parts]
    if lacking := [pooling for pooling in needed if pooling not in setup["poolings"]]:
        return f"its folder pools by {lacking[0]}, which the bank does not store"
    return (f"unit({'+'.join(parts)})",) if "Normalize" in facts["modules"] else tuple(parts)


def _beyond(facts: Mapping[str, Any], setup: Mapping[str, Any]) -> str | None:
    """What the folder does that no stored block can give."""
    modules = tuple(facts["modules"])
    if modules not in (MODULES, MODULES[:2]):
        return (
            f"its folder makes it by {', '.join(modules)}, and stored blocks give no more than "
            f"{', '.join(MODULES)}"
        )
    if others := [mode for mode in facts["poolings"] if mode not in MODES]:
        return f"its folder pools by {others[0]}, which stored blocks do not give"
    if facts["others"]:
        return f"its folder sets {', '.join(facts['others'])}, which a bank does not follow"
    if setup.get("prompt") and not facts["include_prompt"]:
        return "its folder leaves the prompt out of pooling, and stored blocks include it"
    if "cls" in facts["poolings"] and setup.get("cls", 0) != 0:
        return "its folder takes each text's first token, and this bank's cls is another one"
    if "mean_sqrt_len_tokens" in facts["poolings"] and setup.get("long") == "window":
        return "its folder divides by the root of a text's length, which windows do not have"
    return None


def described(facts: Mapping[str, Any]) -> str:
    """How a folder makes a sentence's vector, in words."""
    pooling = ", ".join(facts["poolings"]) or "no pooling"
    further = [module for module in facts["modules"] if module not in MODULES[:2]]
    return ", then ".join([f"{pooling} of the last layer", *further])
