"""A checkpoint's tokenizer as transformers loads it, and what a bank's set-up says of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tokenizers import Tokenizer as Backend

from extract.checkpoint.architecture import refuse_unknown
from extract.checkpoint.checkpoint import Checkpoint
from extract.checkpoint.quiet import quiet_transformers
from extract.texts.members import CLS, NO_CLS, NORMALISER, OWN, ROLES
from extract.texts.piece_models import PieceModel, follow_files, read_piece_model
from extract.texts.probe import ODD, token_digest
from extract.texts.special_tokens import added_tokens
from extract.texts.template import cls_place
from features.errors import EncoderError, LayerbankError

#: Where one of these is, a ``.model`` beside it is not what a tokenizer is built from.
COMES_FIRST = ("tokenizer.json", "vocab.txt", "vocab.json")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A fast tokenizer, ready to be set up."""

    backend: Backend
    roles: tuple[str, ...]
    """The special tokens that have a role, each once."""
    special_tokens: tuple[str, ...]
    """All that transformers calls special."""
    cls_place: int | None
    """See :func:`extract.texts.template.cls_place`."""
    follows_files: bool
    """Whether the normaliser of the files is another than transformers builds, and in use."""
    pad_id: int
    typed: bool
    """Whether the encoder is told which text of a pair a token is of."""
    side: str

    @property
    def has_added(self) -> bool:
        """Whether there are special tokens without a role."""
        return bool(added_tokens(self.backend, self.roles))

    def members(self) -> dict[str, Any]:
        """What a new bank's set-up says beside the special tokens, where it is not the usual."""
        members: dict[str, Any] = {}
        if self.cls_place != 0:
            members[CLS] = NO_CLS if self.cls_place is None else self.cls_place
        if self.follows_files:
            members[NORMALISER] = OWN
        return members


def load_files(checkpoint: Checkpoint, *, follow: bool) -> Loaded:
    """The tokenizer of a checkpoint.

    Parameters
    ----------
    checkpoint
        The encoder's files.
    follow
        Whether to take the normaliser of the files where transformers leaves it out, and to
        refuse what it cannot build as the files say. Banks that were made before go on without.

    Raises
    ------
    EncoderError
        When it has none, or none that is fast, or one that is not as its files say.
    """
    from transformers import AutoTokenizer

    folder = checkpoint.folder
    refuse_unknown(folder, checkpoint.config)
    where = f"the tokenizer in {folder} cannot be loaded"
    model = _piece_model(checkpoint, follow=follow)
    with as_encoder_error(where), quiet_transformers():
        _refuse_slow(checkpoint)
        loaded: Any = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    if not loaded.is_fast:
        raise _not_fast(checkpoint)
    pads = loaded.pad_token_id, checkpoint.config.get("pad_token_id")
    with as_encoder_error(where):
        backend = loaded.backend_tokenizer
        backend.no_padding()
        backend.no_truncation()
        if model is not None and follow:
            model.refuse_other(backend)
            _refuse_bare(checkpoint, loaded)
        follows = follow and _follow(backend, checkpoint, model)
        named = [getattr(loaded, role) for role in ROLES]
        return Loaded(
            backend=backend,
            roles=tuple(dict.fromkeys(str(token) for token in named if token is not None)),
            special_tokens=tuple(loaded.all_special_tokens),
            cls_place=_cls_place(loaded),
            follows_files=follows,
            pad_id=next((i for i in pads if i is not None), 0),
            typed="token_type_ids" in loaded.model_input_names,
            side=loaded.truncation_side,
        )


def _piece_model(checkpoint: Checkpoint, *, follow: bool) -> PieceModel | None:
    """The ``.model`` that the tokenizer is built from, checked; None where another file is."""
    if any((checkpoint.folder / name).exists() for name in COMES_FIRST):
        return None
    models = [read_piece_model(path) for path in sorted(checkpoint.folder.glob("*.model"))]
    if len(models) > 1 and follow:
        raise EncoderError(
            f"{checkpoint.folder} holds {len(models)} SentencePiece models ({models[0].path.name}, "
            f"{models[1].path.name}) and no tokenizer.json that says which counts: leave one there"
        )
    return models[0] if models else None


def _follow(backend: Backend, checkpoint: Checkpoint, model: PieceModel | None) -> bool:
    """Follow the files where that gives other tokens; whether it does."""
    built = backend.normalizer, backend.pre_tokenizer
    before = token_digest(backend, ODD)
    if not follow_files(backend, checkpoint.folder, model):
        return False
    if token_digest(backend, ODD) != before:
        return True
    backend.normalizer, backend.pre_tokenizer = built
    return False


def _cls_place(loaded: Any) -> int | None:
    """Where the CLS token is; where the tokenizer names none, the one that begins every text."""
    token_id = loaded.cls_token_id if loaded.cls_token_id is not None else loaded.bos_token_id
    return cls_place(loaded.backend_tokenizer, token_id)


def _refuse_bare(checkpoint: Checkpoint, loaded: Any) -> None:
    """EncoderError where transformers builds a tokenizer that forgets the encoder's template."""
    if loaded.cls_token is not None and not loaded.backend_tokenizer.num_special_tokens_to_add(
        False
    ):
        raise EncoderError(
            f"of the SentencePiece model in {checkpoint.folder}, transformers builds a tokenizer "
            f"that puts no {loaded.cls_token} in front of a text: save tokenizer.json beside it, "
            "where the encoder comes from"
        )


def _refuse_slow(checkpoint: Checkpoint) -> None:
    """EncoderError for a class that is not fast, before its library reads a ``.model``."""
    folder = checkpoint.folder
    if (folder / "tokenizer.json").exists() or not any(folder.glob("*.model")):
        return
    from transformers import PreTrainedTokenizerFast
    from transformers.models.auto import tokenization_auto as auto

    named = checkpoint.tokenizer_config.get("tokenizer_class")
    named = named or checkpoint.config.get("tokenizer_class")
    named = named or auto.TOKENIZER_MAPPING_NAMES.get(checkpoint.config["model_type"])
    found = auto.tokenizer_class_from_name(named) if isinstance(named, str) else None
    if found is not None and not issubclass(found, PreTrainedTokenizerFast):
        raise _not_fast(checkpoint)


def _not_fast(checkpoint: Checkpoint) -> EncoderError:
    return EncoderError(
        f"the tokenizer in {checkpoint.folder} is not a fast one (it has no "
        "tokenizer.json): save its fast version there"
    )


@contextmanager
def as_encoder_error(what: str) -> Iterator[None]:
    """Whatever a tokenizer's files make its library do, a panic of its Rust code as well."""
    try:
        yield
    except (LayerbankError, MemoryError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic is no Exception
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise EncoderError(
            f"{what} ({reason}): save it beside the encoder with `tokenizer.save_pretrained`"
        ) from error
