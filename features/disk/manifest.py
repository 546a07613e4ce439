"""``bank.json``: what a bank is, written once when it is made."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import xxhash

from features.disk.atomic import locked_temporary
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
from features.disk.system import disk_errors, read_errors, sync, sync_folder, write_all
from features.errors import BankError, FingerprintMismatch, NotABank
from features.selection import Setup


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
    NotABank
        When there is none, or it is of a version that this code does not read.
    BankError
        When it was damaged or edited.
    """
    path = folder / MANIFEST
    try:
        with read_errors(path):
            content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        is_run = (folder / "run.json").is_file()
        why = "a file" if folder.is_file() else "a run" if is_run else f"without {MANIFEST}"
        raise NotABank(
            f"{folder} is not a bank (it is {why}): make one with "
            f"`layerbank extract INPUT --text COL --bank {folder}`"
        ) from None
    except ValueError as error:
        raise BankError(f"{path} is damaged ({error}): `layerbank verify --repair` restores it "
                        "from the segments") from None  # fmt: skip
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise NotABank(f"{path} is not the manifest of a layerbank bank: give another folder")
    if (version := content.get("version")) not in READABLE:
        older = isinstance(version, int) and version < min(READABLE)
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
        manifest = Manifest(
            content["version"], content["fingerprint"], content["setup"], content["source"]
        )
        intact = (
            fingerprint(manifest.setup) == manifest.fingerprint
            and _checksum(content) == content[CHECKSUM]
        )
    except (KeyError, TypeError, ValueError):
        intact = False
    if not intact:
        raise BankError(f"{path} was damaged or edited (its hash is not that of its content): "
                        "`layerbank verify --repair` restores it from the segments")  # fmt: skip
    return manifest


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
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
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
    return text if len(text) <= 40 else f"{text[:16]}…"
