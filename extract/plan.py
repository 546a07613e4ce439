"""What is to be extracted: explicit options, a recorded set-up, the bank's own, the defaults.

In that order of precedence: an option that is not given takes the value of the set-up that is to
be matched, and an explicit one that differs from it is refused with the fields named.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from extract.checkpoint.checkpoint import Checkpoint
from extract.engines.pooling import DEFAULT, choose_poolings
from extract.libraries import require_libraries
from extract.options import Options
from extract.sentence_options import choose_prompt, given_length, note_folder, note_prompt
from extract.texts.members import CLS, KEEP, NO_CLS, OPTIONAL, recorded_members, special_tokens_of
from extract.texts.stream import bank_at
from features.bank import Bank
from features.disk.format import MANIFEST, differing_fields
from features.disk.manifest import refuse_other_setup
from features.disk.notes import is_noted, note_file
from features.disk.system import is_writable
from features.errors import EncoderError, FingerprintMismatch, InputError, NotABank
from features.names import DEFAULT_ENCODER

log = logging.getLogger(__name__)

#: Where neither the tokenizer nor the model sets a limit.
DEFAULT_LENGTH = 512


#: Fields of a set-up that are there only where they say something: older banks have none of them.
WHERE_GIVEN = frozenset({*OPTIONAL, "prompt"})


@dataclass(frozen=True, slots=True)
class Plan:
    """What an extraction is about, checked as far as it can be without loading the model."""

    path: Path
    bank: Bank | None
    """The bank that is there already."""
    checkpoint: Checkpoint
    setup: dict[str, Any]
    """All that decides the numbers, but what only the loaded model can tell (``pooler``,
    ``n_layers``, ``hidden_size``); the precision may still be ``auto``."""
    like: Mapping[str, Any] | None
    began: float
    """When the call began, by ``time.perf_counter``."""

    @property
    def keeps_special(self) -> bool:
        """Whether the encoder's own special tokens are tokens also within a text."""
        return bool(self.setup["special_tokens"] == KEEP)

    def complete(self, setup: Mapping[str, Any]) -> Bank:
        """The bank to add to, made where there is none, for the set-up as the model gave it."""
        self.refuse_conflict(setup)
        bank = Bank.create(self.path, setup, self.checkpoint.source)
        if self.checkpoint.is_named_by(bank.source):
            # The caller named this very encoder, now or when the bank was made.
            note_file(bank.path / MANIFEST)
        return bank

    def refuse_conflict(self, setup: Mapping[str, Any]) -> None:
        """FingerprintMismatch when a set-up is not that of the bank, or not the recorded one.

        Fields that it leaves open are taken to agree, but those that are only there where they
        say something.
        """
        bank, like = self.bank, self.like
        if bank is not None:
            wanted = {**_lasting(bank.setup), **_lasting(like or {}), **setup}
            refuse_other_setup(self.path, bank.setup, wanted)
        if like is not None and (fields := differing_fields(like, {**_lasting(like), **setup})):
            raise FingerprintMismatch(
                f"the encoder and options are not those that were recorded (they differ in "
                f"{', '.join(fields)}): give the recorded encoder and options",
                fields,
            )


def prepare(path: Path, options: Options, like: Mapping[str, Any] | None = None) -> Plan:
    """Find the bank and the encoder, hash the encoder's files, and see that all agree.

    Parameters
    ----------
    path
        The bank's folder, whether there is a bank or not.
    options
        What the caller gave.
    like
        A recorded set-up to match.

    Raises
    ------
    InputError, EncoderError
        For an option, or an encoder, that cannot be used; when the extra ``extract`` is not
        installed.
    NotABank
        When something else is at the path.
    FingerprintMismatch
        When the bank, or the recorded set-up, is of another encoder or other options.
    """
    began = time.perf_counter()
    options.check()
    require_libraries()
    bank = bank_at(path)
    if bank is None:
        refuse_occupied(path)
    checkpoint = find_checkpoint(options, bank)
    setup = choose_setup(options, checkpoint, like or (bank.setup if bank is not None else {}))
    plan = Plan(path, bank, checkpoint, setup, like, began)
    plan.refuse_conflict({name: value for name, value in setup.items() if value != "auto"})
    if bank is None and like is None:
        note_prompt(setup)
        if checkpoint.sentence is not None:
            note_folder(options, checkpoint.sentence, setup)
    return plan


def _lasting(setup: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a set-up that every set-up has."""
    return {name: value for name, value in setup.items() if name not in WHERE_GIVEN}


def refuse_occupied(path: Path) -> None:
    """NotABank, before hours of work, when no bank can be made at a path."""
    if path.exists() and not path.is_dir():
        raise NotABank(f"{path} is a file, and a bank is a folder: give another --bank")
    if not is_writable(path):
        raise NotABank(f"{path} cannot be made, or not be written to: give another --bank")
    if path.is_dir() and any(not entry.name.startswith(".") for entry in path.iterdir()):
        raise NotABank(f"{path} holds other files and no bank: give another --bank")


def find_checkpoint(options: Options, bank: Bank | None) -> Checkpoint:
    """The encoder's files; the bank's own encoder at its own revision when none is given.

    Raises
    ------
    EncoderError
        When it cannot be found; or only a bank names it that was not made here, or by somebody
        else.
    """
    recorded = bank.source if bank is not None else {}
    if bank is not None and not is_noted(bank.path / MANIFEST):
        named = recorded.get("encoder")
        if options.encoder is None and named not in (None, DEFAULT_ENCODER):
            raise EncoderError(
                f"the bank {bank.path} was not made here, or not by you, so the encoder {named} "
                "that it names is left alone: name it with --encoder (and --encoder-weights)"
            )
        recorded = {}
    encoder = str(options.encoder or recorded.get("encoder") or DEFAULT_ENCODER)
    revision = options.revision
    if revision is None and encoder == recorded.get("encoder"):
        revision = recorded.get("revision")
    weights = options.encoder_weights
    if weights is None and encoder == recorded.get("encoder"):
        weights = recorded.get("weights")
    try:
        return Checkpoint.find(encoder, revision, weights)
    except EncoderError as error:
        if options.encoder is None and bank is not None:
            raise EncoderError(
                f"{error}; this is the encoder that the bank {bank.path} was made with: if its "
                "files have moved, say where with --encoder (and --encoder-weights)"
            ) from error
        raise


def choose_setup(
    options: Options, checkpoint: Checkpoint, like: Mapping[str, Any]
) -> dict[str, Any]:
    """Everything that decides the numbers, as far as it is known without loading the model.

    Parameters
    ----------
    options
        What the caller gave.
    checkpoint
        The encoder's files; they are read and hashed here.
    like
        The set-up whose values stand in for options that are not given; may be empty. Then the
        tokenizer is loaded too, since what it has says how texts become tokens.

    Raises
    ------
    InputError
        When the maximum length is beyond what the encoder can use, a stride has no windows, or
        the encoder has no token that a pooling takes.
    EncoderError
        When the tokenizer of a new bank cannot be loaded.
    """
    usable = checkpoint.usable_length()
    max_length = given_length(options, checkpoint) or like.get("max_length")
    max_length = int(max_length or usable or DEFAULT_LENGTH)
    if usable is not None and max_length > usable and not checkpoint.heeds_distances_alone:
        raise InputError(
            f"the encoder {checkpoint.found.encoder} takes at most {usable} tokens, and a maximum "
            f"length of {max_length} was asked for: give --max-length {usable} or less"
        )
    long = options.long or like.get("long") or "truncate"
    stride = options.stride or like.get("stride")
    if long == "window":
        stride = int(stride or max(1, max_length // 2))
    elif options.stride is not None:
        raise InputError("--stride is of --long window: give that too, or leave --stride out")
    else:
        stride = None
    identity = checkpoint.identity()  # before the tokenizer: it says which file is damaged
    precision = options.precision if options.precision != "auto" else None
    prompt = choose_prompt(options.prompt, checkpoint, like)
    poolings = choose_poolings(options.poolings or like.get("poolings") or DEFAULT)
    members = (
        recorded_members(like, options.special_tokens)
        if like
        else _new_members(options, checkpoint)
    )
    if not like and members.get(CLS) == NO_CLS:
        poolings = _without_cls(options, checkpoint, poolings)
    return {
        **identity,
        "max_length": max_length,
        "long": long,
        "stride": stride,
        "precision": precision or like.get("precision") or "auto",
        "poolings": list(poolings),
        **members,
        **({"prompt": prompt} if prompt else {}),
    }


def _new_members(options: Options, checkpoint: Checkpoint) -> dict[str, Any]:
    """How texts become tokens in a bank that is yet to be made, as its tokenizer tells."""
    from extract.texts.loading import load_files

    loaded = load_files(checkpoint, follow=True)
    policy = special_tokens_of(options.special_tokens, None, added=loaded.has_added)
    return {"special_tokens": policy, **loaded.members()}


def _without_cls(
    options: Options, checkpoint: Checkpoint, poolings: Sequence[str]
) -> tuple[str, ...]:
    """The poolings of a bank whose encoder has no CLS token.

    Raises
    ------
    InputError
        When `cls` was asked for, or nothing else.
    """
    encoder = checkpoint.found.encoder
    if options.poolings is not None and "cls" in poolings:
        raise InputError(
            f"the tokenizer of {encoder} puts no CLS token into a text, so there is nothing for "
            "the pooling cls to take: leave it out of --poolings"
        )
    if "cls" in poolings:
        log.warning(
            "the tokenizer of %s puts no CLS token into a text: `cls` is not stored", encoder
        )
    return tuple(name for name in poolings if name != "cls")
