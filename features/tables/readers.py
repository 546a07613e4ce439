"""From a file to its reader: what formats there are, and which one a file is in.

Nothing is stripped, parsed or taken for missing: a text ``NA`` stays ``NA``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from features.errors import InputError
from features.paths import hint
from features.tables.arrow import ArrowReader, ParquetReader, dataset_reader, is_dataset
from features.tables.content import Content
from features.tables.delimited import DelimitedReader
from features.tables.excel import ExcelReader
from features.tables.json_tables import JsonLinesReader, json_reader
from features.tables.lines import LinesReader
from features.tables.packing import ending_of, packing_of
from features.tables.reader import Reader
from features.tables.reading import Reading
from features.tables.spool import flows, spooled

log = logging.getLogger(__name__)

#: First bytes of an OLE file, as the workbooks of old Excels are.
OLD_WORKBOOK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

#: Endings of workbooks that are not read.
OTHER_WORKBOOKS = ("xls", "xlsb", "ods", "numbers")

#: Format name, which is also the file ending -> what makes its reader, of text.
TEXTUAL: dict[str, Callable[[Content, Reading], Reader]] = {
    "csv": lambda content, reading: DelimitedReader(content, reading, ","),
    "tsv": lambda content, reading: DelimitedReader(content, reading, "\t"),
    "jsonl": lambda content, reading: JsonLinesReader(content, reading.encoding),
    "json": lambda content, reading: json_reader(content, reading.encoding),
    "txt": lambda content, reading: LinesReader(content, reading.encoding),
}

#: The same of formats that are read where they stand in the file, never packed.
BINARY: dict[str, Callable[[Path, str, Reading], Reader]] = {
    "parquet": lambda path, name, reading: ParquetReader(path, name),
    "arrow": lambda path, name, reading: ArrowReader([path], name),
    "feather": lambda path, name, reading: ArrowReader([path], name),
    "xlsx": lambda path, name, reading: ExcelReader(path, name, no_header=reading.no_header),
}

FORMATS = (*TEXTUAL, *BINARY)

#: Other endings of the same formats.
ALIASES = {"ndjson": "jsonl", "tab": "tsv", "pq": "parquet", "ipc": "arrow", "xlsm": "xlsx"}

#: What --delimiter, --quoting and --no-header are for.
_DELIMITED = ("csv", "tsv")


def reader_of(path: Path, reading: Reading) -> tuple[Reader, str]:
    """A file's reader, and what messages call the file.

    Raises
    ------
    InputError
        The file is missing, of no format that is known, or not what its name says.
    OSError
        It cannot be opened.
    """
    name = str(path)
    if reading.format is not None and reading.format not in FORMATS:
        raise InputError(f"unknown --format {reading.format!r}: it is one of {', '.join(FORMATS)}")
    flowing = flows(path)
    if flowing:
        path, name = spooled(path)
    elif path.is_dir():
        if not is_dataset(path):
            raise InputError(
                f"{path} is a folder, and no saved data set: give a {', '.join(FORMATS)} file"
            )
        _refuse_unused(reading, "arrow", name)
        return dataset_reader(path, name), name
    elif not path.is_file():
        near = hint(path, _is_table)
        raise InputError(f"{path} does not exist{near}: give a {', '.join(FORMATS)} file")
    with path.open("rb") as file:
        head = file.read(10)
    ending = reading.format or ("" if flowing else _format(ending_of(name)))
    _refuse_other_workbook(head, ending, name)
    if ending in BINARY:
        packing = packing_of(head)
        if packing is not None and (ending != "xlsx" or packing != "zip"):
            raise InputError(f"{name} is a packed {ending} file: unpack it, and give that")
        _refuse_unused(reading, ending, name)
        return BINARY[ending](path, name, reading), name
    content = Content.of(path, name)
    if content.member is not None and reading.format is None:
        ending = _format(ending_of(content.member)) or ending
    if ending not in TEXTUAL:
        raise InputError(_unknown(ending, content, flowing=flowing))
    _refuse_unused(reading, ending, name)
    codec = content.codec(reading.encoding)
    if codec == "cp1252" != reading.encoding:
        log.warning(
            "%s: not UTF-8, and read as cp1252 like Excel's CSV in Western Europe; --encoding if "
            "it is another", name,
        )  # fmt: skip
    elif codec in ("utf-16", "utf-32") and codec != reading.encoding:
        log.info("%s: %s, as its first bytes say", name, codec.upper())
    return TEXTUAL[ending](content, reading), name


def _format(ending: str) -> str:
    return ALIASES.get(ending, ending)


def _unknown(ending: str, content: Content, *, flowing: bool) -> str:
    if ending in BINARY:
        return f"{content.name} is a packed {ending} file: unpack it, and give that"
    if flowing:
        return f"{content.name} has no ending: say what it is with --format ({', '.join(FORMATS)})"
    what = "ends" if content.member is None else "holds a file that ends"
    return (
        f"{content.name} {what} in none of {', '.join('.' + own for own in FORMATS)}: say what it "
        "is with --format"
    )


def _refuse_other_workbook(head: bytes, ending: str, name: str) -> None:
    if ending in OTHER_WORKBOOKS or head.startswith(OLD_WORKBOOK):
        raise InputError(
            f"{name} is an Excel workbook of another kind than .xlsx: save it as .xlsx or CSV"
        )


def _refuse_unused(reading: Reading, format: str, name: str) -> None:
    """InputError for options that say something of other formats."""
    given = {
        "--delimiter": reading.separator is not None,
        "--quoting": reading.quotes is not None,
        "--no-header": reading.no_header and format != "xlsx",
    }
    wrong = [option for option, is_given in given.items() if is_given]
    if wrong and format not in _DELIMITED:
        raise InputError(f"{wrong[0]} is for csv and tsv, and {name} is {format}: leave it out")


def _is_table(path: Path) -> bool:
    return path.is_file() and _format(ending_of(path.name)) in FORMATS
