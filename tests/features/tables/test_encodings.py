"""Encodings that files show by themselves, and those that they do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.errors import InputError
from features.tables.table import open_table, read_dataset

GERMAN = "Die Straße führt über die Brücke – „schön“, sagte er. 5 € für Äpfel."
FRENCH = "L’élève naïf où l’œuvre coûte 3 € : « déjà » à Noël, ça va."
SPANISH = "¿Qué mañana? ¡Sí, el niño comió más piñas!"


@pytest.mark.parametrize("text", [GERMAN, FRENCH, SPANISH, "São João não põe", "Blåbær på øen"])
def test_excels_csv_of_western_europe(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(f"id;text;y\r\n1;{text};3,5\r\n".encode("cp1252"))
    dataset = read_dataset(open_table(path), target=["y"])
    assert (dataset.texts, dataset.targets.tolist()) == ([text], [[3.5]])
    assert "a.csv: not UTF-8, and read as cp1252" in caplog.text
    assert [record.levelname for record in caplog.records] == ["WARNING"]  # with --quiet as well


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Žluťoučký kůň příšerně úpěl ďábelské ódy", "cp1250"),
        ("Zażółć gęślą jaźń, że łódź", "cp1250"),
        ("Árvíztűrő tükörfúrógép", "cp1250"),
        ("Pijamalı hasta yağız şoföre", "cp1254"),
        ("Съешь ещё этих мягких булок", "cp1251"),
        ("Ξεσκεπάζω την ψυχοφθόρα", "cp1253"),
        ("עטלף אבק נס דרך", "cp1255"),
        ("いろはにほへと", "shift_jis"),
        ("视野无限广", "gbk"),
        ("L’élève déjà à Noël", "mac_roman"),
        ("Die Straße über die Brücke", "cp850"),
    ],
)
def test_other_encodings_have_to_be_named(tmp_path: Path, text: str, encoding: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(f"id;text;y\r\n1;{text};3,5\r\n".encode(encoding))
    with pytest.raises(InputError, match="is not utf-8 at byte .*--encoding"):
        read_dataset(open_table(path))
    assert read_dataset(open_table(path, encoding=encoding)).texts == [text]


@pytest.mark.parametrize("content", ["text\ncafé\n", "id,text\r\n1,café\r\n", "id;text\n1;café\n"])
def test_other_files_have_to_be_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.csv").write_bytes(content.encode("cp1252"))
    with pytest.raises(InputError, match="is not utf-8 at byte .*--encoding"):
        read_dataset(open_table(tmp_path / "a.csv"))
