"""An encoder as files: which ones, what decides its numbers, how long a text it takes.

Nothing is loaded here: a second call on the same texts must be able to tell that the encoder is
still the one the bank was made with, and do no more. Where the weights are safetensors, it does
so without torch.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from extract.checkpoint.hub import Found, find_encoder
from extract.checkpoint.weights import weights_digest
from features.disk.format import canonical_json
from features.disk.system import read_file
from features.errors import EncoderError
from features.paths import as_path

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

#: Families whose positions start behind the padding index (``padding_idx + 1``), so that many
#: rows of the position table serve no token.
POSITIONS_AFTER_PADDING = frozenset({
    "camembert", "data2vec-text", "esm", "ibert", "lilt", "longformer", "luke", "markuplm",
    "mluke", "mpnet", "roberta", "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl", "xmod",
})  # fmt: skip

#: Families whose attention knows distances between tokens, and no positions.
DISTANCES = frozenset({"t5", "mt5", "umt5"})

#: A tokenizer that knows no limit records a huge number.
NO_LIMIT = 1_000_000


@dataclass(frozen=True)
class Checkpoint:
    """An encoder's files, checked to be there and readable as JSON, but not loaded."""

    found: Found
    config: Mapping[str, Any]
    tokenizer_config: Mapping[str, Any]
    weight_files: tuple[Path, ...]
    fine_tuned: Path | None = None
    """The file of weights that was given instead of the encoder's own."""

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
        _refuse_irregular(found.folder)
        config = _read_json(found.folder / "config.json")
        if config is None:
            raise EncoderError(
                f"{found.folder} holds no config.json: give the folder that an encoder was saved to"
            )
        if not isinstance(config.get("model_type"), str):
            raise EncoderError(
                f"{found.folder / 'config.json'} names no model_type: give the folder that a "
                "Hugging Face encoder was saved to"
            )
        if (found.folder / "adapter_config.json").exists():
            raise EncoderError(
                f"{found.folder} holds an adapter: merge it into its model, save that, and give "
                "the saved folder"
            )
        if not any(
            next(found.folder.glob(name), None) for name in ("tokenizer.json", *VOCABULARIES)
        ):
            # Without a vocabulary, transformers would make an empty one up and say nothing.
            raise EncoderError(
                f"{found.folder} holds no tokenizer (looked for tokenizer.json, "
                f"{', '.join(VOCABULARIES)}): save it there with `tokenizer.save_pretrained`"
            )
        tokenizer_config = _read_json(found.folder / "tokenizer_config.json") or {}
        files = _weight_files(found.folder) if fine_tuned is None else (fine_tuned,)
        return cls(found, config, tokenizer_config, files, fine_tuned)

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
        source = {
            "encoder": self.found.encoder,
            "revision": self.found.revision,
            "model_type": self.config["model_type"],
        }
        return source if self.fine_tuned is None else {**source, "weights": str(self.fine_tuned)}

    def identity(self) -> dict[str, Any]:
        """What decides the numbers in the files: ``weights``, ``config`` and ``tokenizer``."""
        return {
            "weights": weights_digest(self.weight_files),
            "config": _without(self.config, INDIFFERENT),
            "tokenizer": self.tokenizer_digest(),
        }

    def tokenizer_digest(self) -> str:
        """SHA-256, in hexadecimal, of what decides a text's tokens."""
        parts: dict[str, object] = {
            "tokenizer_config": _without(self.tokenizer_config, INDIFFERENT_TOKENIZER)
        }
        for name in ("special_tokens_map.json", "added_tokens.json"):
            parts[name] = _read_json(self.folder / name)
        fast = _read_json(self.folder / "tokenizer.json")
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
        if self.config["model_type"] == "deberta-v2":
            return not self.config.get("position_biased_input", True)
        return self.config["model_type"] in DISTANCES

    def usable_length(self) -> int | None:
        """The longest text in tokens, special ones included; None where the files set no limit.

        The smaller of what the tokenizer allows and what the position table holds. In the RoBERTa
        families positions start at ``padding_idx + 1``: 514 rows serve 512 tokens.

        Raises
        ------
        EncoderError
            When the padding index is no number.
        """
        limits = []
        tokenizer = self.tokenizer_config.get("model_max_length")
        if isinstance(tokenizer, int | float) and 0 < tokenizer < NO_LIMIT:
            limits.append(int(tokenizer))
        rows = self.config.get("max_position_embeddings", self.config.get("n_positions"))
        if isinstance(rows, int) and rows > 0:
            family = self.config["model_type"]
            if family in POSITIONS_AFTER_PADDING:
                # MPNet's padding index is 1 whatever its configuration says.
                padding = 1 if family == "mpnet" else self.config.get("pad_token_id", 1) or 0
                if not isinstance(padding, int):
                    raise EncoderError(
                        f"{self.folder / 'config.json'} gives {padding!r} as pad_token_id, which "
                        "is no whole number: fetch or save the checkpoint again"
                    )
                rows -= padding + 1
            limits.append(rows)
        return min(limits, default=None)


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
        index = _read_json(path)
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


def _read_json(path: Path) -> dict[str, Any] | None:
    """A JSON object; None when there is no such file."""
    try:
        content = json.loads(read_file(path).decode(), parse_float=_finite, parse_constant=_finite)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise EncoderError(f"{path} cannot be read as JSON ({error})") from None
    if not isinstance(content, dict):
        raise EncoderError(f"{path} holds no JSON object")
    return content


def _finite(number: str) -> float:
    """A number in a file; ValueError for one that is none, or too large to be one."""
    if not math.isfinite(value := float(number)):
        raise ValueError(f"{number[:20]} is no finite number")
    return value
