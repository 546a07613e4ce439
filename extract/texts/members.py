"""The members of a set-up that say how a text becomes tokens, beside its maximum length.

Only ``special_tokens`` is in every bank. The others are in those where something is not as usual,
so that banks which were made before they existed keep their fingerprints.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from features.errors import InputError

#: The special tokens that a template may use, as transformers names them.
ROLES = (
    "bos_token", "eos_token", "cls_token", "sep_token", "pad_token", "unk_token", "mask_token",
)  # fmt: skip

#: How special tokens are read that stand in a text. The first is also the way of every bank that
#: was made before there was a choice.
TEXT = "included, literal ones are text"
ADDED = "included, added ones are tokens, literal ones are text"
KEEP = "included, literal ones are tokens"

#: What ``--special-tokens`` may be, and the ways that it agrees with.
CHOICES = {"text": (TEXT, ADDED), "keep": (KEEP,)}

#: Where the CLS token is (from the start, or from the end where negative), or that there is none;
#: a set-up without this member takes the first token.
CLS, NO_CLS = "cls", "none"

#: Which normaliser texts go through: the one of the tokenizer's files; a set-up without this
#: member has the one that transformers builds.
NORMALISER, OWN = "normaliser", "own"

#: The members that not every set-up has.
OPTIONAL = (CLS, NORMALISER)


def special_tokens_of(choice: str | None, like: str | None, *, added: bool) -> str:
    """How a set-up reads special tokens.

    Parameters
    ----------
    choice
        Of :data:`CHOICES`; None where it was not given.
    like
        As the set-up says that is to be matched; None for a new one.
    added
        Whether the tokenizer has special tokens without a role.
    """
    if like is not None and (choice is None or like in CHOICES[choice]):
        return like
    if choice == "keep":
        return KEEP
    return ADDED if added and like is None else TEXT


def recorded_members(setup: Mapping[str, Any], choice: str | None) -> dict[str, Any]:
    """What a set-up that is to be matched says, and the way with special tokens that was chosen.

    Raises
    ------
    InputError
        When it says something that this code does not know.
    """
    members = {"special_tokens": setup.get("special_tokens", TEXT)}
    members |= {name: setup[name] for name in OPTIONAL if name in setup}
    known = {"special_tokens": (TEXT, ADDED, KEEP), NORMALISER: (OWN,)}
    for name, value in members.items():
        if name in known and value not in known[name]:
            raise InputError(
                f"the set-up to be matched has {value!r} as {name}, which this layerbank does not "
                "know: install a newer one, or give another --bank"
            )
    return members | {
        "special_tokens": special_tokens_of(choice, members["special_tokens"], added=False)
    }


def cls_place_of(setup: Mapping[str, Any]) -> int | None:
    """Where ``cls`` is taken, from the end where negative; None where there is nothing to take."""
    place = setup.get(CLS, 0)
    return place if type(place) is int else None
