"""What a sentence-transformers folder says beside the encoder in it.

``modules.json`` lists what a text goes through; each module but the first has its own folder. Two
layouts are read. Before version 6, ``sentence_bert_config.json`` has the maximum length and
``1_Pooling/config.json`` a boolean for each way of pooling; since then the tokenizer has the
length, and ``pooling_mode`` names the ways in their order.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from extract.checkpoint.json_files import read_any_json, read_json
from features.errors import EncoderError

MODULES = "modules.json"

#: Whose modules are known; other names are code in the checkpoint.
KNOWN = "sentence_transformers."

#: What the first module's settings may be called.
TRANSFORMER_SETTINGS = tuple(
    f"sentence_{family}_config.json"
    for family in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)

#: In the order in which the older layout concatenates them.
BOOLEANS = {
    "pooling_mode_cls_token": "cls", "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean", "pooling_mode_lasttoken": "lasttoken",
}  # fmt: skip

#: Settings of the first module that are read, or change no vector.
READ = frozenset({
    "max_seq_length", "do_lower_case", "transformer_task", "modality_config",
    "module_output_name", "unpad_inputs",
})  # fmt: skip

#: Arguments of the model's class that change no vector.
HARMLESS = frozenset({
    "add_pooling_layer", "attn_implementation", "dtype", "torch_dtype", "trust_remote_code",
})  # fmt: skip


class Module(NamedTuple):
    """One entry of ``modules.json``."""

    kind: str
    """Its class, by its last name where the library has it."""
    path: str
    """Its folder; empty for the outermost one."""


def read_modules(folder: Path) -> list[Module] | None:
    """What a text goes through, in order; None where the folder is no sentence-transformers one.

    Raises
    ------
    EncoderError
        When ``modules.json`` is damaged, or names a folder elsewhere.
    """
    path = folder / MODULES
    entries = read_any_json(path)
    if entries is None:
        return None
    if not isinstance(entries, list) or not entries:
        raise _damaged(path)
    modules = []
    for entry in entries:
        kind, where = (
            (entry.get("type"), entry.get("path", "")) if isinstance(entry, dict) else (None, None)
        )
        if not isinstance(kind, str) or not isinstance(where, str) or not _is_name(kind):
            raise _damaged(path)
        if where and (Path(where).name != where or where == ".."):
            raise EncoderError(
                f"{path} names {where!r}, which is no folder beside it: fetch or save the "
                "checkpoint again"
            )
        modules.append(Module(kind.rpartition(".")[2] if kind.startswith(KNOWN) else kind, where))
    return modules


def encoder_path(modules: Sequence[Module] | None) -> str:
    """The folder of the encoder within; empty where it stands in the outermost one."""
    return modules[0].path if modules and modules[0].kind == "Transformer" else ""


def read_facts(
    root: Path, modules: Sequence[Module], tokenizer_config: Mapping[str, Any]
) -> dict[str, Any]:
    """What a bank records of the folder ``root``; ``docs/format.md`` says what each member is.

    Raises
    ------
    EncoderError
        When one of its files is damaged.
    """
    inner = root / encoder_path(modules)
    settings = _settings(inner)
    pooling = _of_kind(root, modules, "Pooling")
    model = read_json(root / "config_sentence_transformers.json") or {}
    others = _others(settings, inner, tokenizer_config)
    others += ["truncate_dim"] if model.get("truncate_dim") is not None else []
    normalize = _of_kind(root, modules, "Normalize")
    if normalize.get("module_input_name", "sentence_embedding") != "sentence_embedding":
        others.append("module_input_name")
    default = model.get("default_prompt_name")
    return {
        "modules": [module.kind for module in modules],
        "poolings": _poolings(pooling, root) if pooling else [],
        "include_prompt": pooling.get("include_prompt") is not False,
        "max_length": _max_length(settings, tokenizer_config, inner),
        "prompts": _prompts(model, root),
        "default_prompt": default if _is_text(default) else None,
        "others": sorted(others),
    }


def has_length_of_its_own(inner: Path) -> bool:
    """Whether the tokenizer's maximum length is the folder's, and not the encoder's."""
    return not isinstance(_settings(inner).get("max_seq_length"), int)


def _settings(inner: Path) -> dict[str, Any]:
    return next(filter(None, (read_json(inner / name) for name in TRANSFORMER_SETTINGS)), {})


def _of_kind(root: Path, modules: Sequence[Module], kind: str) -> dict[str, Any]:
    """The configuration of the first module of a kind; empty where there is none."""
    for module in modules:
        if module.kind == kind and module.path:
            return read_json(root / module.path / "config.json") or {}
    return {}


def _poolings(pooling: Mapping[str, Any], root: Path) -> list[str]:
    given = pooling.get("pooling_mode")
    if given is None:
        return [mode for name, mode in BOOLEANS.items() if pooling.get(name)] or ["mean"]
    modes = given if isinstance(given, list) else [given]
    if not modes or not all(isinstance(mode, str) and _is_name(mode) for mode in modes):
        raise EncoderError(
            f"the configuration of Pooling in {root} gives {given!r:.60} as pooling_mode, which is "
            "no way of pooling: fetch or save the checkpoint again"
        )
    return modes


def _max_length(
    settings: Mapping[str, Any], tokenizer_config: Mapping[str, Any], inner: Path
) -> int | None:
    """The folder's maximum length; None where it sets none."""
    for given in (settings.get("max_seq_length"), tokenizer_config.get("model_max_length")):
        if given is None:
            continue
        if isinstance(given, bool) or not isinstance(given, int | float) or given < 1:
            raise EncoderError(
                f"{inner} gives {given!r:.60} as its maximum length: fetch or save the checkpoint "
                "again"
            )
        return int(given) if given < 1_000_000 else None
    return None


def _prompts(model: Mapping[str, Any], root: Path) -> dict[str, str]:
    """Prompts by name; some are empty."""
    prompts = model.get("prompts") or {}
    if not isinstance(prompts, dict) or not all(
        _is_text(name) and (text is None or _is_text(text)) for name, text in prompts.items()
    ):
        raise _damaged(root / "config_sentence_transformers.json")
    return {name: text or "" for name, text in prompts.items()}


def _others(
    settings: Mapping[str, Any], inner: Path, tokenizer_config: Mapping[str, Any]
) -> list[str]:
    """Settings of the first module that decide vectors and are not followed here."""
    others = []
    for name, value in settings.items():
        if (
            name not in READ
            and value
            and not (isinstance(value, dict) and value.keys() <= HARMLESS)
        ):
            others.append(name if _is_name(name) else "other settings")
    if settings.get("do_lower_case") and not _lowers(inner, tokenizer_config):
        others.append("do_lower_case")
    text = {"method": "forward", "method_output_name": "last_hidden_state"}
    modality = settings.get("modality_config") or {"text": text}
    if not isinstance(modality, dict) or modality.get("text") != text:
        others.append("modality_config")
    for name, usual in (
        ("transformer_task", "feature-extraction"), ("module_output_name", "token_embeddings"),
    ):  # fmt: skip
        if settings.get(name, usual) != usual:
            others.append(name)
    return others


def _lowers(inner: Path, tokenizer_config: Mapping[str, Any]) -> bool:
    """Whether the tokenizer makes its texts lower case by itself."""
    fast = read_json(inner / "tokenizer.json")
    if fast is None:
        return bool(tokenizer_config.get("do_lower_case"))
    said = json.dumps(fast.get("normalizer"), separators=(",", ":"))
    return '"type":"Lowercase"' in said or '"lowercase":true' in said


def _is_name(text: str) -> bool:
    """Whether these are identifiers with dots between them, of a length that can be shown."""
    return len(text) <= 100 and all(part.isidentifier() for part in text.split("."))


def _is_text(value: object) -> bool:
    """Whether this is a string that a file can hold."""
    return isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value)


def _damaged(path: Path) -> EncoderError:
    return EncoderError(
        f"{path} is not as sentence-transformers writes it: fetch or save the checkpoint again"
    )
