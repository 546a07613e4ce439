"""``bank.json``: what a bank is, written once when it is made."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import xxhash

from features.addresses import refuse_address
from features.disk.atomic import locked_temporary, make_folder
from features.disk.format import (
    CHECKSUM,
    FORMAT,
    MANIFEST,
    READABLE,
    VERSION,
    canonical_json,
    differing_fields,
    fingerprint,
)
from features.disk.schema import EACH, OBJECT, Matching, Whole, parse_json, refuse_other
from features.disk.system import disk_errors, read_errors, read_file, sync, sync_folder, write_all
from features.errors import BankError, FingerprintMismatch, NotABank
from features.paths import near_path
from features.selection import POOLER, Setup
from features.sentence import FACTS

#: Bytes of ``bank.json`` at the most; those that are written have a few thousand.
_LARGEST = 16 << 20

#: Numbers of a text at the most, in all blocks: four poolings of 128 layers of 32,768 columns.
_MOST_NUMBERS = 1 << 24

#: Blocks of a bank at the most.
_MOST_BLOCKS = 1 << 16

#: What modules, ways of pooling and settings may be called.
_NAME = Matching(re.compile(r"[\w. -]{1,100}"))

#: What a ``bank.json`` must hold.
_SHAPE: Mapping[str, Any] = {
    "version": Whole(1, 1 << 30),
    "fingerprint": Matching(re.compile("[0-9a-f]{64}")),
    "setup": {
        **OBJECT,
        "n_layers": Whole(1, _MOST_BLOCKS),
        "hidden_size": Whole(1, _MOST_NUMBERS),
        "poolings": [Matching(re.compile("[A-Za-z_][A-Za-z0-9_]{0,63}"))],
        "pooler": bool,
        "precision": Matching(re.compile("fp32|bf16|fp16")),
    },
    "source": OBJECT,
}

#: What they may hold besides, where it is not null.
_MORE: Mapping[str, Mapping[str, Any]] = {
    "setup": {
        "max_length": Whole(1, 1 << 31),
        "long": str,
        "stride": Whole(1, 1 << 31),
        "weights": str,
        "tokenizer": str,
        "special_tokens": str,
        "cls": (int, str),
        "normaliser": str,
        "config": OBJECT,
        "prompt": str,
    },
    "source": {
        **dict.fromkeys(("encoder", "revision", "weights", "model_type"), str),
        FACTS: {
            "modules": [_NAME],
            "poolings": [_NAME],
            "include_prompt": bool,
            "max_length?": Whole(1, 1 << 31),
            "prompts": {EACH: str},
            "default_prompt?": str,
            "others": [_NAME],
        },
    },
}


@dataclass(frozen=True, slots=True)
class Manifest:
    """The content of ``bank.json``; ``docs/format.md`` specifies it."""

    version: int
    fingerprint: str
    setup: Mapping[str, Any]
    source: Mapping[str, Any]


def read_manifest(folder: Path) -> Manifest:
    """Read and check ``bank.json``.

    Raises
    ------
    InputError
        When the folder is an address.
    NotABank
        When there is none, or it is of a version that this code does not read.
    BankError
        When it was damaged or edited.
    """
    _refuse_address(folder)
    path = folder / MANIFEST
    try:
        with read_errors(path):
            content = parse_json(read_file(path, at_most=_LARGEST))
    except (FileNotFoundError, NotADirectoryError):
        near = near_path(folder, is_bank_folder)
        why = _what_else(folder) + (f"; {near}" if near else "")
        raise NotABank(
            f"{folder} is not a bank (it is {why}): make one with "
            f"`layerbank extract INPUT --text COL --bank {folder}`"
        ) from None
    except ValueError as error:
        raise BankError(f"{path} is damaged ({error}): `layerbank verify --repair` restores it "
                        "from the segments") from None  # fmt: skip
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise NotABank(f"{path} is not the manifest of a layerbank bank: give another folder")
    version = content.get("version")
    if type(version) is int and version not in READABLE:
        older = version < min(READABLE)
        advice = (
            "its vectors were written before the format was settled, so extract the texts again"
            if older
            else "install a newer layerbank"
        )
        raise NotABank(
            f"{folder} has format version {version}, and this layerbank reads "
            f"{', '.join(map(str, sorted(READABLE)))}: {advice}"
        )
    try:
        manifest = checked_manifest(content)
        if _checksum(content) != content.get(CHECKSUM):
            raise ValueError("its hash is not that of its content")
    except ValueError as error:
        raise BankError(
            f"{path} was damaged or edited ({error}): `layerbank verify --repair` restores it from "
            "the segments"
        ) from None
    return manifest


def is_bank_folder(folder: Path) -> bool:
    """Whether a folder looks like a bank's."""
    return (folder / MANIFEST).is_file()


def _what_else(folder: Path) -> str:
    """What is there in place of a bank."""
    if not os.path.lexists(folder):
        return "not there"
    if folder.is_file():
        return "a file"
    return "a run" if (folder / "run.json").is_file() else f"without {MANIFEST}"


def checked_manifest(content: Mapping[str, Any]) -> Manifest:
    """What a ``bank.json``, or the copy of it in a segment, says of its bank.

    Raises
    ------
    ValueError
        When it is none that could have been written.
    """
    refuse_other(content, _SHAPE, "")
    for part, more in _MORE.items():
        given = {name: shape for name, shape in more.items() if content[part].get(name) is not None}
        refuse_other(content[part], given, part)
    setup = content["setup"]
    n_blocks = len(setup["poolings"]) * setup["n_layers"] + setup["pooler"]
    if not n_blocks or POOLER in setup["poolings"]:
        raise ValueError("its setup.poolings are none that a bank can have")
    if n_blocks > _MOST_BLOCKS or n_blocks * setup["hidden_size"] > _MOST_NUMBERS:
        raise ValueError(
            f"a text has more than {_MOST_NUMBERS:,} numbers in it, or too many blocks"
        )
    if fingerprint(setup) != content["fingerprint"]:
        raise ValueError("its hash is not that of its content")
    return Manifest(content["version"], content["fingerprint"], setup, content["source"])


def _refuse_address(folder: Path) -> None:
    refuse_address(folder, "a bank", "name a folder, and copy it to that address afterwards")


def write_manifest(folder: Path, setup: Setup, source: Mapping[str, Any]) -> Manifest:
    """Write ``bank.json``, or read the one that is there when it says the same.

    Of several processes that make the same bank at once, one writes and the others read.
    """
    if not (folder / MANIFEST).exists():
        publish_manifest(folder, setup, source)
    manifest = read_manifest(folder)
    refuse_other_setup(folder, manifest.setup, setup)
    return manifest


def publish_manifest(folder: Path, setup: Setup, source: Mapping[str, Any]) -> None:
    """Write ``bank.json`` where there is none; what another process just wrote stays."""
    _refuse_address(folder)
    content: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "fingerprint": fingerprint(setup),
        "setup": dict(setup),
        "source": dict(source),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    content[CHECKSUM] = _checksum(content)
    text = json.dumps(content, indent=2, sort_keys=True) + "\n"
    make_folder(folder)
    with disk_errors(folder):
        with locked_temporary(folder) as (descriptor, temporary):
            write_all(descriptor, memoryview(text.encode()))
            sync(descriptor)
            try:
                # Unlike a rename, a link never replaces what another process just wrote.
                os.link(temporary, folder / MANIFEST)
            except FileExistsError:
                pass
            except OSError as error:
                if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS):
                    raise
                os.rename(temporary, folder / MANIFEST)  # a file system without links
            sync_folder(folder)


def _checksum(content: Mapping[str, Any]) -> str:
    """XXH3 of everything else in ``bank.json``."""
    rest = {name: value for name, value in content.items() if name != CHECKSUM}
    return xxhash.xxh3_64_hexdigest(canonical_json(rest).encode())


def refuse_other_setup(folder: Path, there: Setup, wanted: Setup) -> None:
    """FingerprintMismatch, with the differing fields named, unless the two set-ups are one."""
    if fields := differing_fields(there, wanted):
        shown = "; ".join(f"{name}: {_value(there, name)} there, {_value(wanted, name)} here"
                          for name in fields[:6])  # fmt: skip
        raise FingerprintMismatch(
            f"{folder} was made by another encoder or set-up ({shown}"
            f"{f'; and {len(fields) - 6} more fields' if len(fields) > 6 else ''}): give the "
            "bank's own options, or another --bank",
            fields,
        )


def _value(setup: Setup, name: str) -> str:
    value: Any = setup
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:16]}…"  # a hash has 64 digits
