"""Special tokens that stand in a text: whether they are tokens there, or characters like others.

A tokenizer knows two kinds. Seven have a role (:data:`extract.texts.members.ROLES`), and the
encoder's template puts them around every text: a ``</s>`` within one is more likely a piece of a
web page. The others were added for what somebody trains (``[E1]``, ``<extra_id_0>``), and mean
something only in a text.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable

from tokenizers import Regex
from tokenizers import Tokenizer as Backend
from tokenizers.pre_tokenizers import PreTokenizer, Split
from tokenizers.pre_tokenizers import Sequence as Chain

from extract.texts.members import KEEP, TEXT


def added_tokens(backend: Backend, roles: Iterable[str]) -> list[str]:
    """The special tokens of a tokenizer that have no role, in the order of their ids."""
    known = {*roles}
    tokens = backend.get_added_tokens_decoder()
    return [
        token.content
        for _, token in sorted(tokens.items())
        if token.special and token.content and token.content not in known
    ]


def obey(
    backend: Backend, policy: str, roles: Iterable[str], special_tokens: Iterable[str]
) -> Backend:
    """A tokenizer that treats special tokens within a text as a policy says.

    Parameters
    ----------
    backend
        May be changed.
    policy
        One of those in :mod:`extract.texts.members`.
    roles
        The special tokens that have a role.
    special_tokens
        All of them.
    """
    if policy == KEEP:
        backend.encode_special_tokens = False
        return backend
    if policy == TEXT:
        keep_literal(backend, special_tokens)
        return backend
    roles = [*roles]
    backend = _with_plain_tokens(backend, roles)
    keep_literal(backend, roles)
    return backend


def _with_plain_tokens(backend: Backend, roles: Iterable[str]) -> Backend:
    """A copy to which the added tokens are no special ones, and so are found in any text.

    A tokenizer cannot be told that of a token that it has: only its description can be changed.
    """
    known = {*roles}
    content = json.loads(backend.to_str())
    for token in content["added_tokens"]:
        token["special"] = token["special"] and token["content"] in known
    return Backend.from_str(json.dumps(content))


def keep_literal(backend: Backend, special_tokens: Iterable[str]) -> None:
    """Make a tokenizer treat special tokens that stand in a text as ordinary characters.

    ``encode_special_tokens`` is the tokenizer's own switch for that, and suffices where words are
    split at punctuation first. A Unigram model (XLM-R, T5, DeBERTa-v3) also keeps ``<pad>`` among
    its pieces and finds it again in the text; there, words are split inside such a literal, behind
    its first character. Nothing changes for other texts.
    """
    backend.encode_special_tokens = True
    if type(backend.model).__name__ != "Unigram":
        return
    rests = defaultdict(list)
    for token in special_tokens:
        if len(token) > 1:
            rests[token[0]].append(re.escape(token[1:]))
    if not rests:
        return
    inside = "|".join(f"(?<={re.escape(first)})(?={'|'.join(r)})" for first, r in rests.items())
    split = Split(Regex(inside), "isolated")
    before: PreTokenizer | None = backend.pre_tokenizer
    backend.pre_tokenizer = split if before is None else Chain([before, split])


def literals(roles: Iterable[str]) -> re.Pattern[str] | None:
    """What finds a special token that has a role in a text; None where there are none."""
    longest_first = sorted({*roles} - {""}, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first))) if longest_first else None
