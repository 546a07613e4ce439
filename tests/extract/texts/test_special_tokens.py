"""Special tokens within a text: those with a role, those that were added, and what a bank keeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from extract import extract
from extract.checkpoint.checkpoint import Checkpoint
from extract.options import Options
from extract.plan import prepare
from extract.texts.loading import load_files
from extract.texts.members import ADDED, KEEP, TEXT
from extract.texts.tokenizer import Tokenizer
from features import Bank
from features.errors import FingerprintMismatch, InputError
from tests.extract.plain import banked_blocks, plain_blocks, worst_row
from tests.tiny_encoders import save_encoder, save_tokenizer

KINDS = ("bpe", "unigram", "wordpiece")

RIVER = "the [E1] river [/E1] froze"


@pytest.fixture(scope="module", params=KINDS)
def marked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder whose tokenizer was given two special tokens, and one that is not special."""
    return save_marked(tmp_path_factory.mktemp(request.param) / "encoder", request.param)


def save_marked(folder: Path, kind: str = "wordpiece") -> Path:
    from transformers import AutoTokenizer

    save_tokenizer(folder, kind)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"extra_special_tokens": ["[E1]", "[/E1]"]})
    tokenizer.add_tokens(["<plain>"])
    tokenizer.save_pretrained(folder)
    save_encoder(folder, "roberta", layers=1)
    if kind == "bpe":  # its tokens fill the small encoder's 500 rows; no test loads this one
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"vocab_size": 510}))
    return folder


def ids(folder: Path, policy: str, *texts: Any) -> list[list[int]]:
    tokenizer = Tokenizer.load(Checkpoint.find(str(folder)), 512, policy=policy)
    return [tokens.ids.tolist() for tokens in tokenizer.encode(texts)]


def plain(folder: Path, *texts: Any) -> list[list[int]]:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    return [tokenizer(*((t,) if isinstance(t, str) else t)).input_ids for t in texts]


def test_added_tokens_are_tokens_and_those_with_a_role_are_text(marked: Path) -> None:
    texts = [RIVER, "[E1]", "a<plain>b [/E1][E1]", (RIVER, "b [/E1]")]
    assert ids(marked, ADDED, *texts) == plain(marked, *texts)
    with_role = "a </s> [E1] <mask><pad>"
    (found,) = ids(marked, ADDED, with_role)
    (torn,) = ids(marked, TEXT, with_role)
    assert not {0, 1, 2, 4} & {*found[1:-1]}
    added = plain(marked, "[E1]")[0][1]
    assert added in found
    assert added not in torn
    assert len(torn) > len(found)


def test_keep_takes_every_special_token(marked: Path) -> None:
    texts = [RIVER, "anchor</s>target</s>context", "<mask> <pad>", ("a<s>", "</s>b")]
    assert ids(marked, KEEP, *texts) == plain(marked, *texts)


def test_a_token_that_is_not_special_is_one_in_every_policy(marked: Path) -> None:
    token = plain(marked, "<plain>")[0]
    for policy in (TEXT, ADDED, KEEP):
        assert ids(marked, policy, "<plain>") == [token]


@pytest.mark.parametrize("policy", [TEXT, ADDED, KEEP])
def test_texts_that_hold_a_token_with_a_role_are_counted(marked: Path, policy: str) -> None:
    tokenizer = Tokenizer.load(Checkpoint.find(str(marked)), 512, policy=policy)
    texts = ["a </s> b", RIVER, "a < /s> b", ("a", "b<mask>"), ("a", "b", "<pad>"), "<S>"]
    assert [t.literal for t in tokenizer.encode(texts)] == [True, False, False, True, True, False]


def test_a_new_bank_says_that_added_tokens_are_tokens(tmp_path: Path) -> None:
    folder, bank = save_marked(tmp_path / "encoder"), tmp_path / "a.bank"
    report = extract(
        [RIVER, "a </s> b"], bank, encoder=str(folder), engine="torch", precision="fp32"
    )
    assert report.n_literal == 1
    assert Bank.open(bank).setup["special_tokens"] == ADDED
    assert Bank.open(bank).n_tokens([RIVER]).tolist() == [len(plain(folder, RIVER)[0])]
    extract(["[E1] ice"], bank, encoder=str(folder), engine="torch", special_tokens="text")
    expected = plain_blocks(folder, [RIVER, "[E1] ice"], literal=False)
    found = banked_blocks(bank, [RIVER, "[E1] ice"])[:, : expected.shape[1]]
    assert worst_row(found, expected) <= 1e-5


def test_an_encoder_without_added_tokens_keeps_its_fingerprint(
    tiny_roberta: Path, tmp_path: Path
) -> None:
    """As it was before there was a choice: member by member."""
    plan = prepare(tmp_path / "a.bank", Options(tiny_roberta, precision="fp32"))
    assert plan.setup == {
        **plan.checkpoint.identity(), "max_length": 512, "long": "truncate", "stride": None,
        "special_tokens": "included, literal ones are text", "precision": "fp32",
        "poolings": ["cls", "mean", "max"],
    }  # fmt: skip


def older(bank: Path, **members: Any) -> Path:
    """A bank as an earlier version would have made it, or a stranger's: its set-up is another."""
    from features.disk.manifest import write_manifest

    there = Bank.open(bank)
    setup = {**there.setup, **members}
    made = bank.with_name("older.bank")
    write_manifest(made, {k: v for k, v in setup.items() if v is not None}, there.source)
    return made


def test_a_bank_goes_on_with_its_own_way(tmp_path: Path) -> None:
    folder = save_marked(tmp_path / "encoder")
    extract(["one"], tmp_path / "a.bank", encoder=str(folder), engine="torch", precision="fp32")
    old = older(tmp_path / "a.bank", special_tokens=TEXT)
    for given in (None, "text"):
        text = f"{RIVER} {given}"
        extract([text], old, encoder=str(folder), engine="torch", special_tokens=given)
        assert Bank.open(old).n_tokens([text]).tolist() == [len(ids(folder, TEXT, text)[0])]
    with pytest.raises(FingerprintMismatch, match="special_tokens") as caught:
        extract(["x"], old, encoder=str(folder), engine="torch", special_tokens="keep")
    assert caught.value.fields == ("special_tokens",)


def test_keep_makes_another_bank_and_the_bank_remembers_it(
    tiny_roberta: Path, tmp_path: Path
) -> None:
    bank = tmp_path / "a.bank"
    text = "anchor</s>target</s>context"
    how: dict[str, Any] = {"encoder": str(tiny_roberta), "engine": "torch", "precision": "fp32"}
    extract([text], bank, special_tokens="keep", **how)
    extract(["a</s>b"], bank, **how)
    assert Bank.open(bank).setup["special_tokens"] == KEEP
    found = Bank.open(bank).n_tokens([text, "a</s>b"]).tolist()
    assert found == [len(tokens) for tokens in plain(tiny_roberta, text, "a</s>b")]
    assert "are tokens" in str(Bank.open(bank).facts()["tokens"])
    with pytest.raises(FingerprintMismatch) as caught:
        extract(["x"], bank, special_tokens="text", **how)
    assert caught.value.fields == ("special_tokens",)


def test_what_is_no_way_and_what_a_later_version_writes_is_refused(
    tiny_roberta: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="'all' with special tokens in a text: choose from text"):
        extract(["x"], tmp_path / "a.bank", encoder=str(tiny_roberta), special_tokens="all")
    extract(["one"], tmp_path / "a.bank", encoder=str(tiny_roberta), engine="torch")
    later = older(tmp_path / "a.bank", special_tokens="as in 2030")
    with pytest.raises(InputError, match="'as in 2030' as special_tokens, which this layerbank"):
        extract(["two"], later, encoder=str(tiny_roberta), engine="torch")


def test_the_command_says_how_many_texts_hold_one(
    tiny_roberta: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from extract.cli import app
    from features.console.app import run

    (tmp_path / "in.txt").write_text("a </s> b\nno such\n<mask>\n", encoding="utf-8")
    for way, said in (
        ("text", "2 hold special tokens of the encoder, read as text (--special-tokens keep takes"),
        ("keep", "2 hold special tokens of the encoder, taken as tokens; "),
    ):
        arguments = [str(tmp_path / "in.txt"), "--bank", str(tmp_path / f"{way}.bank")]
        arguments += ["--encoder", str(tiny_roberta), "--engine", "torch", "-q"]
        with pytest.raises(SystemExit) as ended:
            run(app, [*arguments, "--special-tokens", way])
        assert ended.value.code in (0, None)
        assert said in capsys.readouterr().out


def test_t5s_own_tokens_are_added_ones(tmp_path: Path) -> None:
    from tests.piece_models import save_piece_model

    save_piece_model(tmp_path / "t5", "t5")
    save_encoder(tmp_path / "t5", "t5", layers=1)
    loaded = load_files(Checkpoint.find(str(tmp_path / "t5")), follow=True)
    assert loaded.roles == ("</s>", "<pad>", "<unk>")
    assert loaded.has_added
    (found,) = ids(tmp_path / "t5", ADDED, "the <extra_id_0> river </s>")
    (extra,) = plain(tmp_path / "t5", "<extra_id_0>")
    assert extra[0] in found
    assert found.count(1) == 1, "only the template's own </s>"
    assert json.loads((tmp_path / "t5" / "config.json").read_text())["vocab_size"] == 500
