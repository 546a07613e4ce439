"""What a bank records of its encoder's sentence-transformers folder, and what it offers of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from features import Bank
from features.errors import BankError
from features.sentence import sentence_poolings
from features.upkeep.summary import describe, summary
from tests.made_up import SETUP, SOURCE, add

FACTS: dict[str, Any] = {
    "modules": ["Transformer", "Pooling", "Normalize"],
    "poolings": ["cls", "mean"],
    "include_prompt": True,
    "max_length": 128,
    "prompts": {"query": "query: ", "document": ""},
    "default_prompt": "query",
    "others": [],
}


def offered(setup: dict[str, Any] | None = None, **changes: Any) -> tuple[str, ...] | str:
    source = {**SOURCE, "sentence_transformers": {**FACTS, **changes}}
    return sentence_poolings({**SETUP, **(setup or {})}, source)


def test_what_is_offered() -> None:
    assert offered() == ("unit(cls+mean)",)
    assert offered(modules=["Transformer", "Pooling"]) == ("cls", "mean")
    root = offered(modules=["Transformer", "Pooling"], poolings=["mean_sqrt_len_tokens", "max"])
    assert root == ("sqrt_len(mean)", "max")
    assert offered(include_prompt=False) == ("unit(cls+mean)",)
    assert offered({"prompt": "query: "}) == ("unit(cls+mean)",)
    assert offered({"long": "window"}) == ("unit(cls+mean)",)


@pytest.mark.parametrize(
    ("setup", "changes", "why"),
    [
        ({}, {"modules": ["Transformer", "Pooling", "Normalize", "Dense"]}, "Normalize, Dense, "),
        ({}, {"modules": ["Transformer"]}, "makes it by Transformer, and"),
        ({}, {"modules": ["Transformer", "custom.Pooling"]}, "by Transformer, custom.Pooling"),
        ({}, {"poolings": ["weightedmean"]}, "pools by weightedmean"),
        ({}, {"others": ["truncate_dim"]}, "sets truncate_dim"),
        ({"prompt": "q: "}, {"include_prompt": False}, "leaves the prompt out"),
        ({"cls": -1}, {}, "takes each text's first token"),
        ({"poolings": ["mean"]}, {}, "pools by cls, which the bank does not store"),
        ({"long": "window"}, {"poolings": ["mean_sqrt_len_tokens"]}, "which windows do not have"),
    ],
)
def test_why_it_is_not(setup: dict[str, Any], changes: dict[str, Any], why: str) -> None:
    assert why in offered(setup, **changes)


def test_what_info_says(tmp_path: Path) -> None:
    source = {**SOURCE, "sentence_transformers": FACTS}
    bank = Bank.create(tmp_path / "a.bank", {**SETUP, "prompt": "query: "}, source)
    add(bank, ["a text"])
    facts = describe(bank.path)
    assert (facts["prompt"], facts["sentence"]["offered"]) == ("query: ", True)
    said = summary(facts)
    assert "sentence     cls, mean of the last layer, then Normalize; at 128 tokens, by the" in said
    assert "offered as the selection `sentence`" in said
    assert "prompts: query 'query: '; query by default" in said
    assert "prompt       'query: ' before each text" in said
    assert "cls, mean of the last layer, then Normalize" in bank._repr_html_()
    plain = Bank.create(tmp_path / "b.bank", SETUP, {**SOURCE, "sentence_transformers": None})
    assert "sentence" not in plain.facts()
    assert describe(plain.path)["sentence"] is None
    assert "sentence" not in summary(describe(plain.path))


@pytest.mark.parametrize(
    "facts",
    [
        [], "x", {}, {**FACTS, "modules": "Transformer"}, {**FACTS, "modules": [3]},
        {**FACTS, "poolings": ["\x1b[2J"]}, {**FACTS, "poolings": [None]},
        {**FACTS, "include_prompt": 1}, {**FACTS, "max_length": 0}, {**FACTS, "max_length": 1e300},
        {**FACTS, "max_length": True}, {**FACTS, "prompts": {"query": 3}},
        {**FACTS, "prompts": []}, {**FACTS, "prompts": {"query": "\ud800"}},
        {**FACTS, "default_prompt": 3}, {**FACTS, "others": [["x"]]},
        {name: value for name, value in FACTS.items() if name != "others"},
    ],
)  # fmt: skip
def test_a_strangers_facts_are_checked(facts: Any, tmp_path: Path) -> None:
    with pytest.raises(BankError, match="source.sentence_transformers"):
        Bank.create(tmp_path / "a.bank", SETUP, {**SOURCE, "sentence_transformers": facts})
