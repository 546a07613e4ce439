"""Odd strings whose tokens tell one tokenizer from another, whatever both are called.

transformers builds tokenizers in code, and a new version may build another one of the same files.
Ordinary text then gives the same tokens, and these strings do not. So each segment of a bank
records a hash of what they gave when it was written, and a bank whose segments record another
hash is not added to.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from features.bank import Bank
from features.disk.segment import TOKENS
from features.errors import FingerprintMismatch
from features.keys import Text

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Backend

#: These MUST stay as they are, since hashes of them are kept: another list is another member.
ODD: tuple[str, ...] = (
    "", " ", "a", " a ", "two  spaces", "a\ttab", "a\nline", "a\r\nline", "\n\n", "a\u00a0b",
    "a\u2009b", "a\u2028b", "\u3000wide", "zero\u200bwidth", "\ufeffmark", "soft\u00adhyphen",
    "caf\u00e9 na\u00efve", "cafe\u0301 nai\u0308ve", "\u0130stanbul \u0131", "stra\u00dfe STRASSE",
    "\u2026 ... \u00bd \u2122 \u00b2 \u2116", "\ufb01ve \ufb02y", "\uff26\uff35\uff2c\uff2c \uff11",
    "\u201cquoted\u201d \u2018it\u2019s\u2019 \u00ab\u00bb", "``quoted'' 'it''s'",
    "don't can't I'll we've", "1,234.5 -3e10 \u0663", "\u2014 \u2013 - _ \u2581 a\u2581b",
    "\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f \U0001f1eb\U0001f1f7",
    "\u6211\u7231\u4f60 \u6771\u4eac", "\u3053\u3093\u306b\u3061\u306f \u30ab\u30ac",
    "\ud55c\uad6d\uc5b4 \u1112\u1161\u11ab", "\u0645\u0631\u062d\u0628\u0627 \u0640",
    "\u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd", "\u0928\u092e\u0938\u094d\u0924\u0947",
    "\u041f\u0440\u0438\u0432\u0435\u0442", "A" * 120,
    "pneumonoultramicroscopicsilicovolcanoconiosis",
    "ALL CAPS Title cAsE", "<s> </s> <pad> <unk> <mask> [CLS] [SEP] [MASK] <|endoftext|> </S>",
    "http://a.b/c?d=e&f#g @user #tag x@y.z", "\x00\x07\x7f", "<b>bold</b> &amp; \\n {x: [1]}",
)  # fmt: skip

#: Special tokens of the tokenizer's own that join them, each within a text.
MOST_OWN = 64


def odd_texts(own: Sequence[str]) -> list[Text]:
    """The odd strings, one pair of them, and the tokenizer's own special tokens within texts."""
    return [*ODD, ("a b", "c  d"), *(f"a {token}b" for token in own[:MOST_OWN])]


def token_digest(backend: Backend, texts: Iterable[Text]) -> str:
    """SHA-256, in hexadecimal, of the ids and the types that texts give."""
    encodings = backend.encode_batch([*texts])
    found = [[encoding.ids, encoding.type_ids] for encoding in encodings]
    return hashlib.sha256(json.dumps(found, separators=(",", ":")).encode()).hexdigest()


def refuse_other_tokens(bank: Bank, digest: str, versions: Mapping[str, Any]) -> None:
    """FingerprintMismatch when a bank was written with a tokenizer that gave other tokens.

    Parameters
    ----------
    bank
        To be added to.
    digest
        Of the tokenizer that is to add to it.
    versions
        What would be recorded here, by name.
    """
    recorded = bank.tokenised_by()
    if recorded is None or recorded[TOKENS] == digest:
        return
    there, here = (
        ", ".join(f"{name} {made[name]}" for name in ("transformers", "tokenizers") if name in made)
        for made in (recorded, versions)
    )
    raise FingerprintMismatch(
        f"{bank.path} was written with {there or 'other versions'}, whose tokenizer gives odd "
        f"strings other tokens than that of {here}: install those versions to add to it, or give "
        "another --bank",
        [TOKENS],
    )
