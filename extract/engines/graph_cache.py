"""Traced graphs, kept between calls: tracing takes far longer than reading one back.

They lie in the user's cache folder. An entry is named by everything that decides the graph (the
weights' digest among it), holds the hashes of its files, and is used only when they agree.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import xxhash

from extract.checkpoint.checkpoint import Checkpoint
from extract.engines.encoder import EngineOptions
from features.disk.cache import cache_folder
from features.disk.folders import new_folder
from features.disk.format import canonical_json

log = logging.getLogger(__name__)

#: Entries that stay; each is about as large as the encoder's weights.
KEPT = 4

#: An entry that is still being written after so many seconds is written by nobody any more.
ABANDONED = 86_400

FILES = ("graph.xml", "graph.bin")

#: Of the graph that is made; another one is made anew.
VERSION = 3


@dataclass(frozen=True, slots=True)
class Graph:
    """An OpenVINO model and what is known of it."""

    model: Any
    facts: Mapping[str, Any]


def kept_graph(
    openvino: Any,
    checkpoint: Checkpoint,
    options: EngineOptions,
    make: Callable[[], tuple[Any, Mapping[str, Any]]],
) -> Graph:
    """The graph of a checkpoint with its poolings: the kept one, or a new one that is kept."""
    folder = cache_folder()
    if folder is None:
        return Graph(*make())
    entry = folder / "graphs" / _name(checkpoint, options)
    facts = _intact(entry)
    if facts is not None:
        with contextlib.suppress(OSError):
            os.utime(entry)
        return Graph(openvino.Core().read_model(entry / FILES[0]), facts)
    log.info("preparing the encoder for this CPU, once")
    model, facts = make()
    _keep(openvino, model, facts, entry)
    return Graph(model, facts)


def _name(checkpoint: Checkpoint, options: EngineOptions) -> str:
    decides = {
        **checkpoint.identity(),
        "poolings": list(options.poolings),
        "cls": options.cls_place,
        "version": VERSION,
        **{name: version(name) for name in ("openvino", "torch", "transformers")},
    }
    return hashlib.sha256(canonical_json(decides).encode()).hexdigest()[:32]


def _intact(entry: Path) -> Mapping[str, Any] | None:
    """The facts of an entry whose files are what was written; None for any other."""
    try:
        facts = json.loads((entry / "facts.json").read_text(encoding="utf-8"))
        right = all(_hash(entry / name) == facts["files"][name] for name in FILES)
        return dict(facts) if right else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _hash(path: Path) -> str:
    digest = xxhash.xxh3_128()
    with path.open("rb") as file:
        while chunk := file.read(1 << 24):
            digest.update(chunk)
    return digest.hexdigest()


def _keep(openvino: Any, model: Any, facts: Mapping[str, Any], entry: Path) -> None:
    """Write an entry whole or not at all; a folder that refuses is no failure."""
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(entry.parent)
        with new_folder(entry, lasting=False) as made:  # its hashes tell what a power cut left
            openvino.save_model(model, made / FILES[0], compress_to_fp16=False)
            files = {name: _hash(made / name) for name in FILES}
            (made / "facts.json").write_text(json.dumps({**facts, "files": files}))
        _evict(entry.parent)
    except (OSError, RuntimeError) as error:
        log.info("the prepared encoder could not be kept in %s (%s)", entry.parent, error)


def _remove_abandoned(folder: Path) -> None:
    """Remove what processes were killed over, before a save: the disk may be full of it."""
    for path in folder.glob(".*"):  # as entries are called while they are written
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > ABANDONED:
                shutil.rmtree(path, ignore_errors=True)


def _evict(folder: Path) -> None:
    entries = [path for path in folder.iterdir() if not path.name.startswith(".")]
    for old in sorted(entries, key=lambda path: path.stat().st_mtime)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
