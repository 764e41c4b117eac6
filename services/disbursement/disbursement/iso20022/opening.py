"""Opens a file that came from outside: bounded, parsed without a DTD, of a version that we know, valid."""

import re
from collections.abc import Mapping
from typing import Final

from lxml import etree

from contracts.common import Text
from disbursement.iso20022 import schemas
from disbursement.iso20022.document import Document
from disbursement.iso20022.lines import Lines
from disbursement.iso20022.messages import Kind
from disbursement.iso20022.refusals import FileRefusedError

MAX_BYTES: Final = 32 * 1024 * 1024
# Tags and attributes, which the parser makes objects of: they, not bytes, fill the memory. Depth ends at libxml2's 256.
MAX_MARKS: Final = 1_500_000

VERSIONS: Final[Mapping[str, Kind]] = {
    "pain.002.001.03": "pain.002",
    "pain.002.001.10": "pain.002",
    "pain.002.001.12": "pain.002",
    "camt.054.001.08": "camt.054",
}
_NAMESPACE: Final = "urn:iso:std:iso:20022:tech:xsd:"


def opened(content: bytes) -> Document:
    """Return the message in a file. Raises FileRefusedError if it is none of ``VERSIONS``, or not valid."""
    _refuse_dangerous(content)
    root = _parsed(content)
    version = _version(root)
    lines = Lines(content, root)
    error = schemas.first_error(root.getroottree(), version)
    if error is not None:
        raise _invalid(error, version, root, lines)
    return Document(VERSIONS[version], root, lines)


def _refuse_dangerous(content: bytes) -> None:
    """Refuse what must not reach the parser. The bytes can be trusted to show a DTD: UTF-8 is all that is parsed."""
    if len(content) > MAX_BYTES:
        raise _refused(
            1,
            "too_large",
            f"文件超过 {MAX_BYTES} 字节，请拆分后重新发送。",
            f"The file is larger than {MAX_BYTES} bytes. Split it.",
        )
    if content.count(b"<") + content.count(b"=") > MAX_MARKS:
        raise _refused(
            1,
            "too_large",
            "文件元素过多，请拆分后重新发送。",
            "The file has too many elements and attributes. Split it.",
        )
    doctype = content.find(b"<!DOCTYPE")
    if doctype >= 0:
        raise _refused(
            content.count(b"\n", 0, doctype) + 1,
            "doctype",
            "文件含有 DTD，不予接受；ISO 20022 报文没有 DTD。",
            "The file has a DTD. An ISO 20022 message has none. Remove it.",
        )


def _parsed(content: bytes) -> etree._Element:
    """Parse as UTF-8, which ISO 20022 demands, whatever the file says. Without comments no text is cut in two."""
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        return etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        said = _one_line(error.msg)
        raise _refused(
            error.lineno or 1,
            "malformed",
            f"不是完整的 UTF-8 XML 文件（{said}），请完整地重新发送。",
            f"This is no whole XML file in UTF-8 ({said}). Send it again, whole.",
        ) from error


def _version(root: etree._Element) -> str:
    for version in VERSIONS:
        if root.tag == f"{{{_NAMESPACE}{version}}}Document":
            return version
    name = etree.QName(root)
    said, known = _one_line(f"{name.localname} {name.namespace}"), ", ".join(VERSIONS)
    raise _refused(
        root.sourceline or 1,
        "unknown_version",
        f"无法识别的报文：{said}；可接受 {known}。",
        f"{said} is no message that we read. We read {known}.",
    )


def _invalid(error: etree._LogEntry, version: str, root: etree._Element, lines: Lines) -> FileRefusedError:
    said = _one_line(error.message)
    return _refused(
        lines.of(_place(error, root)),
        "invalid",
        f"不符合 {version} 的模式：{said}",
        f"{version} does not allow this: {said}",
    )


def _place(error: etree._LogEntry, root: etree._Element) -> etree._Element:
    """Return the element that an error is about. Its path is exact; its line may be the next element's."""
    assert error.path is not None, "an error of validation has a path"
    found = root.getroottree().xpath(error.path.partition("/@")[0])
    assert isinstance(found, list), "a path gives elements"
    assert etree.iselement(found[0]), "a path without its attribute ends at an element"
    return found[0]


def _one_line(text: str, longest: int = 300) -> str:
    """Return a parser's words without namespaces and line breaks, no longer than a person reads."""
    return " ".join(re.sub(r"\{[^}]*\}", "", text).split())[:longest]


def _refused(line: int, code: str, zh: str, en: str) -> FileRefusedError:
    return FileRefusedError(line, code, Text(zh=zh, en=en))
