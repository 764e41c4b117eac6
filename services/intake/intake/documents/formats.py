"""What a file is, by its content and not by its name. Pure: an open file in, a media type out; none is held whole.

Taken are what evidence comes as: PDF, images, electronic invoices (XML, and OFD, GB/T 33190-2016), tables as CSV.
"""

import codecs
import zipfile
from typing import BinaryIO, Final
from xml.parsers import expat

_SIGNATURES: Final = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
)
TAKEN: Final = (*dict.fromkeys(kind for _, kind in _SIGNATURES), "application/ofd", "application/xml", "text/csv")
_OFD_ROOT: Final = "OFD.xml"
_CHUNK: Final = 64 * 1024
_ENCODINGS: Final = ("utf-8-sig", "gb18030")
_DELIMITERS: Final = (",", ";", "\t")
_TEXT_CONTROLS: Final = frozenset("\t\n\r\f")


class _UnsafeError(Exception):
    """An XML document that declares entities: it may grow without bound, or name files of this machine."""


def media_type_of(file: BinaryIO) -> str | None:
    """Return what the file is, or None for anything that is not taken. The file is left at its beginning."""
    head = file.read(16)
    file.seek(0)
    for signature, media_type in _SIGNATURES:
        if head.startswith(signature):
            return media_type
    for media_type, matches in (("application/ofd", _is_ofd), ("application/xml", _is_xml), ("text/csv", _is_csv)):
        found = matches(file)
        file.seek(0)
        if found:
            return media_type
    return None


def _is_ofd(file: BinaryIO) -> bool:
    try:
        with zipfile.ZipFile(file) as archive:
            return _OFD_ROOT in archive.namelist()
    except (zipfile.BadZipFile, ValueError, OSError):
        return False


def _is_xml(file: BinaryIO) -> bool:
    parser = expat.ParserCreate()
    parser.EntityDeclHandler = _refuse
    try:
        parser.ParseFile(file)
    except (expat.ExpatError, _UnsafeError):
        return False
    return True


def _refuse(*_: object) -> None:
    raise _UnsafeError


def _is_csv(file: BinaryIO) -> bool:
    return any(_is_table(file, encoding) for encoding in _ENCODINGS)


def _is_table(file: BinaryIO, encoding: str) -> bool:
    """Return whether it is text in this encoding, with no control characters, whose first line has a delimiter."""
    decoder = codecs.getincrementaldecoder(encoding)()
    first_line, complete = "", False
    file.seek(0)
    try:
        while chunk := file.read(_CHUNK):
            said = decoder.decode(chunk)
            if any(character < " " and character not in _TEXT_CONTROLS for character in said):
                return False
            if not complete:
                line, ended, _ = said.partition("\n")
                first_line, complete = first_line + line, bool(ended)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    markup = first_line.lstrip().startswith("<")  # what was no XML that is taken is no table either
    return not markup and any(delimiter in first_line for delimiter in _DELIMITERS)
