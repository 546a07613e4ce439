"""The selection language: round trips, meanings, errors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import SelectionError
from features.selection import Block, Selection, Shelf, Term, column_names
from features.sentence import derived

SHELF = Shelf("roberta-base", 13, ("cls", "mean", "max"), True)

_index = st.integers(-13, 12)
_layers = st.one_of(
    _index,
    st.builds(
        slice,
        st.none() | _index,
        st.none() | _index,
        st.none() | st.integers(-3, 3).filter(bool),
    ),
    st.lists(_index, min_size=2, max_size=5).map(tuple),
)
_bank = st.none() | st.sampled_from(["roberta-base", "deberta.v3_x", "7b"])
_terms = (
    st.builds(Term, _bank, st.sampled_from(["cls", "mean", "max", "*"]), _layers, st.booleans())
    | st.builds(Term, _bank, st.just("pooler"), st.none(), st.booleans())
    | st.builds(Term, _bank, st.just("sentence"), st.none(), st.just(False))
)
selections = st.lists(_terms, min_size=1, max_size=4).map(lambda terms: Selection(tuple(terms)))


@given(selections)
def test_prints_back_to_itself(selection: Selection) -> None:
    text = str(selection)
    assert Selection.parse(text) == selection
    assert str(Selection.parse(text)) == text
    assert hash(Selection.parse(text)) == hash(selection)


@given(selections, st.data())
def test_spaces_mean_nothing(selection: Selection, data: st.DataObject) -> None:
    text = str(selection)
    for token in ("+", "[", "]", "(", ")", ",", ":"):
        text = text.replace(token, data.draw(st.sampled_from([token, f" {token}", f"{token} "])))
    assert Selection.parse(f" {text} ") == selection


@given(_layers)
def test_layers_mean_what_python_means(layers: int | slice | tuple[int, ...]) -> None:
    every = list(range(13))
    if isinstance(layers, slice):
        expected = every[layers]
    else:
        expected = [every[i] for i in ((layers,) if isinstance(layers, int) else layers)]
    selection = Selection((Term(None, "mean", layers, False),))
    if expected:
        (term,) = selection.resolve([SHELF])
        assert term.blocks == tuple(Block("mean", layer) for layer in expected)
    else:
        with pytest.raises(SelectionError, match="empty"):
            selection.resolve([SHELF])


@pytest.mark.parametrize(
    ("name", "blocks"),
    [
        ("pooler", [("pooler", None)]),
        ("cls[-1]", [("cls", 12)]),
        ("mean[-1]+max[-1]", [("mean", 12), ("max", 12)]),
        ("max[-1]+mean[-1]", [("max", 12), ("mean", 12)]),
        ("cls[-4:]", [("cls", 9), ("cls", 10), ("cls", 11), ("cls", 12)]),
        ("*[0,-1]", [(p, layer) for p in ("cls", "mean", "max") for layer in (0, 12)]),
    ],
)
def test_the_usual_names(name: str, blocks: list[tuple[str, int | None]]) -> None:
    resolved = Selection.parse(name).resolve([SHELF])
    assert [tuple(block) for term in resolved for block in term.blocks] == blocks
    assert not any(term.average for term in resolved)


def test_average_is_one_term() -> None:
    (term,) = Selection.parse("avg(cls[-4:])").resolve([SHELF])
    assert term.average
    assert len(term.blocks) == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "character 1"),
        ("best", "expected '\\[' at character 5"),
        ("mean[", "expected a layer .* at character 6"),
        ("mean[a]", "character 6"),
        ("mean[1]+", "character 9"),
        ("mean[1]]", "character 8"),
        ("avg(mean[1]", "expected '\\)' at character 12"),
        ("mean[::0]", "step cannot be 0"),
        ("avg(mean[1]+cls[1])", "expected '\\)'"),
        ("4[2]", "expected a pooling"),
        ("avg(sentence)", "takes blocks, and sentence is none: .* at character 13"),
        ("mean[1]+a/sentence mean[2]", "expected '\\+' or the end at character 20"),
        ("x/", "character 3"),
        (f"mean[{'1' * 5000}]", "at most 18 digits at character 6 .*1…'; sel"),
        (f"mean[0:-{'1' * 5000}]", "at most 18 digits at character 8"),
    ],
)
def test_malformed(text: str, message: str) -> None:
    with pytest.raises(SelectionError, match=message):
        Selection.parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("means[-1]", "did you mean 'mean'.*has cls, mean, max, pooler of layers 0 to 12"),
        ("mean[13]", "no layer 13 .* layers 0 to 12"),
        ("mean[-14]", "no layer -14"),
        ("bert/mean[1]", "names a bank that was not given: the banks are roberta-base"),
    ],
)
def test_what_the_bank_lacks(text: str, message: str) -> None:
    with pytest.raises(SelectionError, match=message):
        Selection.parse(text).resolve([SHELF])


def test_a_checkpoint_without_pooler() -> None:
    with pytest.raises(SelectionError, match="pooler output, which this checkpoint does not hold"):
        Selection.parse("pooler").resolve([SHELF._replace(has_pooler=False)])


@pytest.mark.parametrize(
    ("poolings", "names"),
    [
        (("unit(mean)",), ["unit(mean.12).0", "unit(mean.12).1"]),
        (
            ("unit(mean+cls)",),
            [f"unit(mean.12+cls.12).{column}" for column in range(4)],
        ),
        (("cls", "max"), ["cls.12.0", "cls.12.1", "max.12.0", "max.12.1"]),
        (("sqrt_len(mean)",), ["sqrt_len(mean).12.0", "sqrt_len(mean).12.1"]),
    ],
)
def test_sentence_is_the_last_layers_poolings(poolings: tuple[str, ...], names: list[str]) -> None:
    shelf = SHELF._replace(sentence=poolings)
    (term,) = Selection.parse("roberta-base/sentence").resolve([shelf])
    assert term.blocks == tuple(Block(pooling, 12) for pooling in poolings)
    assert column_names(term, 2) == names
    assert 2 * term.n_parts == len(names)
    assert str(shelf).endswith("of layers 0 to 12, and sentence")


def test_a_bank_that_offers_no_sentence() -> None:
    shelf = SHELF._replace(sentence="its folder ends in Dense")
    with pytest.raises(SelectionError, match="'roberta-base' offers no 'sentence': its folder"):
        Selection.parse("sentence").resolve([shelf])


def test_a_stored_pooling_that_is_called_sentence() -> None:
    shelf = Shelf("other", 3, ("sentence",), False)
    (term,) = Selection.parse("sentence[-1]").resolve([shelf])
    assert term.blocks == (Block("sentence", 2),)
    assert str(Selection.parse("sentence[-1]")) == "sentence[-1]"


@pytest.mark.parametrize(
    "name", ["unit()", "unit(mean+)", "unit(unit(mean))", "unit(a b)", "mean["]
)
def test_names_of_nothing_derived(name: str) -> None:
    assert derived(name) is None


def test_two_banks_need_names() -> None:
    other = Shelf("deberta", 7, ("mean",), False)
    terms = Selection.parse("roberta-base/mean[-4:]+deberta/mean[3]").resolve([SHELF, other])
    assert [term.bank for term in terms] == ["roberta-base", "deberta"]
    with pytest.raises(SelectionError, match="does not say which bank"):
        Selection.parse("mean[1]").resolve([SHELF, other])


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("last4", ["cls[-4:]", "mean[-4:]"]), ("last_8", ["cls[-8:]", "mean[-8:]"]),
        ("concat last 4 layers", ["cls[-4:]"]), ("mean-max", ["mean[-1]+max[-1]"]),
        ("max_mean", ["max[-1]+mean[-1]"]), ("mean", ["mean[-1]", "mean[:]"]),
        ("CLS", ["cls[-1]", "cls[:]"]), ("all", ["*[:]"]), ("pooler_output", ["pooler"]),
        ("last hidden state", ["mean[-1]", "cls[-1]"]), ("avg", ["avg(mean[-4:])"]),
    ],
)  # fmt: skip
def test_words_are_answered_with_how_they_are_written(words: str, meant: list[str]) -> None:
    with pytest.raises(SelectionError, match="is said in words: write") as error:
        Selection.parse(words)
    for selection in meant:
        assert f"'{selection}'" in str(error.value)
        assert str(Selection.parse(selection)) == selection
