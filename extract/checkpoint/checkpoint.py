"""An encoder as files: which ones, what decides its numbers, how long a text it takes.

Nothing is loaded here: a second call on the same texts must be able to tell that the encoder is
still the one the bank was made with, and do no more. Where the weights are safetensors, it does
so without torch.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from extract.checkpoint.hub import Found, find_encoder
from extract.checkpoint.json_files import read_any_json, read_json, refuse_pointer
from extract.checkpoint.length import heeds_distances_alone, positions, tokenizer_limit
from extract.checkpoint.sentence_folder import (
    encoder_path,
    has_length_of_its_own,
    read_facts,
    read_modules,
)
from extract.checkpoint.weights import weights_digest
from features.disk.format import canonical_json
from features.errors import EncoderError
from features.paths import as_path
from features.sentence import FACTS

#: Entries of ``config.json`` that say where a model came from or how it is trained, labelled or
#: called. Every other entry counts as deciding: a needless refusal is better than a wrong bank.
INDIFFERENT = frozenset({
    "_name_or_path", "architectures", "attention_dropout", "attention_probs_dropout_prob",
    "auto_map", "classifier_dropout", "dropout", "dropout_rate", "dtype", "embedding_dropout",
    "finetuning_task", "gradient_checkpointing", "hidden_dropout", "hidden_dropout_prob",
    "id2label", "initializer_factor", "initializer_range", "label2id", "mlp_dropout",
    "num_labels", "output_attentions", "output_hidden_states", "problem_type", "qa_dropout",
    "return_dict", "seq_classif_dropout", "summary_type", "task_specific_params", "torch_dtype",
    "torchscript", "transformers_version", "use_cache",
})  # fmt: skip

INDIFFERENT_TOKENIZER = frozenset({
    "_commit_hash", "chat_template", "is_local", "model_max_length", "name_or_path",
    "processor_class", "special_tokens_map_file", "tokenizer_file", "transformers_version",
    "vocab_file",
})  # fmt: skip

#: Without a fast tokenizer's own file, these hold its vocabulary.
VOCABULARIES = ("vocab.json", "merges.txt", "vocab.txt", "*.model")


@dataclass(frozen=True)
class Checkpoint:
    """An encoder's files, checked to be there and readable as JSON, but not loaded."""

    found: Found
    config: Mapping[str, Any]
    tokenizer_config: Mapping[str, Any]
    weight_files: tuple[Path, ...]
    fine_tuned: Path | None = None
    """The file of weights that was given instead of the encoder's own."""
    sentence: Mapping[str, Any] | None = None
    """What its sentence-transformers folder says, where it stands in one."""

    @classmethod
    def find(
        cls, encoder: str, revision: str | None = None, weights: str | Path | None = None
    ) -> Checkpoint:
        """Find an encoder by name or folder.

        Parameters
        ----------
        encoder, revision
            See :func:`extract.checkpoint.hub.find_encoder`.
        weights
            A state dict that holds the encoder's weights; the encoder's own are then not needed.

        Raises
        ------
        EncoderError
            When it cannot be found or lacks a file; says what was looked for.
        """
        fine_tuned = None if weights is None else _weights_file(as_path(weights))
        found = find_encoder(encoder, revision, with_weights=fine_tuned is None)
        root = found.folder
        _refuse_irregular(root)
        modules = read_modules(root)
        if path := encoder_path(modules):
            found = found._replace(folder=root / path)
            _refuse_irregular(found.folder)
        config = _config(found.folder)
        if not any(
            next(found.folder.glob(name), None) for name in ("tokenizer.json", *VOCABULARIES)
        ):
            # Without a vocabulary, transformers would make an empty one up and say nothing.
            raise EncoderError(
                f"{found.folder} holds no tokenizer (looked for tokenizer.json, "
                f"{', '.join(VOCABULARIES)}): save it there with `tokenizer.save_pretrained`"
            )
        if not (found.folder / "tokenizer.json").exists():
            read_any_json(found.folder / "vocab.json")  # which its library would call no tokenizer
        tokenizer_config = read_json(found.folder / "tokenizer_config.json") or {}
        files = _weight_files(found.folder) if fine_tuned is None else (fine_tuned,)
        for file in (*files, *(p for name in VOCABULARIES for p in found.folder.glob(name))):
            refuse_pointer(file)
        facts = None if modules is None else read_facts(root, modules, tokenizer_config)
        return cls(found, config, tokenizer_config, files, fine_tuned, facts)

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return self.found.folder

    @property
    def safetensors(self) -> bool:
        """Whether the weights are safetensors, rather than what ``torch.save`` wrote."""
        return self.weight_files[0].suffix == ".safetensors"

    @property
    def source(self) -> dict[str, Any]:
        """Where the encoder was found: what a bank records and never compares."""
        source: dict[str, Any] = {
            "encoder": self.found.encoder,
            "revision": self.found.revision,
            "model_type": self.config["model_type"],
        }
        if self.fine_tuned is not None:
            source["weights"] = str(self.fine_tuned)
        if self.sentence is not None:
            source[FACTS] = dict(self.sentence)
        return source

    def is_named_by(self, source: Mapping[str, Any]) -> bool:
        """Whether a bank's ``source`` names this very encoder."""
        names = ("encoder", "revision", "model_type", "weights")
        return all(source.get(name) == self.source.get(name) for name in names)

    def identity(self) -> dict[str, Any]:
        """What decides the numbers in the files: ``weights``, ``config`` and ``tokenizer``."""
        return {
            "weights": weights_digest(
                self.weight_files, None if self.fine_tuned is None else self.shapes
            ),
            "config": _without(self.config, INDIFFERENT),
            "tokenizer": self.tokenizer_digest(),
        }

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of each weight of the encoder that the configuration describes."""
        from extract.checkpoint.architecture import shapes_of

        return shapes_of(self.folder)

    def tokenizer_digest(self) -> str:
        """SHA-256, in hexadecimal, of what decides a text's tokens."""
        parts: dict[str, object] = {
            "tokenizer_config": _without(self.tokenizer_config, INDIFFERENT_TOKENIZER)
        }
        for name in ("special_tokens_map.json", "added_tokens.json"):
            parts[name] = read_json(self.folder / name)
        fast = read_json(self.folder / "tokenizer.json")
        if fast is not None:
            # A saved padding or truncation is not used: the bank's maximum length is.
            parts["tokenizer.json"] = _without(fast, frozenset({"padding", "truncation"}))
        else:
            for path in sorted(p for name in VOCABULARIES for p in self.folder.glob(name)):
                parts[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
        return hashlib.sha256(canonical_json(parts).encode()).hexdigest()

    @property
    def heeds_distances_alone(self) -> bool:
        """Whether the encoder has no table of positions, so that its usable length is advice."""
        return heeds_distances_alone(self.config)

    def usable_length(self) -> int | None:
        """The longest text in tokens, special ones included; None where the files set no limit.

        The smaller of what the tokenizer allows and what the position table holds. Where the
        tokenizer's is the maximum length of a sentence-transformers folder, and there is a table,
        the table's.

        Raises
        ------
        EncoderError
            When the padding index is no number.
        """
        rows = positions(self.config, self.folder)
        tokenizer = tokenizer_limit(self.tokenizer_config)
        if rows is not None and self.sentence is not None and has_length_of_its_own(self.folder):
            tokenizer = None
        return min((limit for limit in (tokenizer, rows) if limit is not None), default=None)


def _config(folder: Path) -> dict[str, Any]:
    """The encoder's configuration; EncoderError where the folder is of another kind."""
    config = read_json(folder / "config.json")
    adapter = folder / "adapter_config.json"
    if adapter.exists():
        base = (read_json(adapter) or {}).get("base_model_name_or_path")
        raise EncoderError(
            f"{folder} holds an adapter{f' of {base}' if isinstance(base, str) else ''} and no "
            "encoder: load it with peft, merge it (`merge_and_unload()`), save that and the "
            "tokenizer with `save_pretrained`, and give the saved folder"
        )
    if config is None:
        inner = next((path.parent for path in sorted(folder.glob("*/config.json"))
                      if "ransformer" in path.parent.name), None)  # fmt: skip
        raise EncoderError(
            f"{folder} holds no config.json: give "
            + (str(inner) if inner is not None else "the folder that an encoder was saved to")
        )
    if not isinstance(config.get("model_type"), str):
        raise EncoderError(
            f"{folder / 'config.json'} names no model_type: give the folder that a Hugging Face "
            "encoder was saved to"
        )
    return config


def _refuse_irregular(folder: Path) -> None:
    """EncoderError for pipes and devices: the library that opens one would wait for ever."""
    for path in folder.iterdir():
        if path.exists() and not path.is_file() and not path.is_dir():
            raise EncoderError(
                f"{path} is no regular file: give the folder that an encoder was saved to"
            )


def _weight_files(folder: Path) -> tuple[Path, ...]:
    """The weights that transformers would load, in its own order of preference."""
    for name in ("model.safetensors", "pytorch_model.bin"):
        if (folder / name).is_file():
            return (folder / name,)
        path = folder / f"{name}.index.json"
        index = read_json(path)
        if index is not None:
            shards = index.get("weight_map")
            if not (
                isinstance(shards, dict)
                and shards
                and all(isinstance(shard, str) for shard in shards.values())
            ):
                raise EncoderError(
                    f"{path} has no weight_map that says which file holds which weight: fetch or "
                    "save the checkpoint again"
                )
            if outside := [name for name in shards.values() if Path(name).name != name]:
                raise EncoderError(
                    f"{path} names {outside[0]!r}, which is no file beside it: fetch or save the "
                    "checkpoint again"
                )
            files = tuple(folder / shard for shard in sorted(set(shards.values())))
            if absent := [file.name for file in files if not file.is_file()]:
                raise EncoderError(f"{folder} lacks {absent[0]}, a shard of its weights: fetch it")
            return files
    raise EncoderError(
        f"{folder} holds no weights: looked for model.safetensors and pytorch_model.bin, whole or "
        "in shards with their index"
    )


def _weights_file(path: Path) -> Path:
    """An existing file of weights, by its absolute path."""
    if not path.is_file():
        raise EncoderError(
            f"there is no file {str(path)!r} with weights: give --encoder-weights the state dict "
            "that training saved (model.bin, model.safetensors)"
        )
    return Path(os.path.abspath(path))


def _without(entries: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in entries.items() if name not in names}
