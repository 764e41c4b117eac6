"""A valid message, read with the line at hand: each word that is taken from it can be refused where it stands."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from lxml import etree

from contracts.common import Text
from contracts.money import LARGEST_EXACT_INTEGER
from disbursement.iso20022 import amounts
from disbursement.iso20022.lines import Lines
from disbursement.iso20022.messages import Kind
from disbursement.iso20022.refusals import FileRefusedError

# A time without an offset is local to the bank (ISO 20022, ISODateTime). China has one zone and no summer time.
BEIJING: Final = timezone(timedelta(hours=8))


class Document:
    """A message that its schema allows. Paths are element names joined by slashes, from the element that is given."""

    def __init__(self, kind: Kind, root: etree._Element, lines: Lines) -> None:
        self.kind = kind
        self.message = root[0]
        self._lines = lines
        self._prefix = f"{{{etree.QName(root).namespace}}}"

    def find(self, within: etree._Element, path: str) -> etree._Element | None:
        return within.find(self._qualified(path))

    def the(self, within: etree._Element, path: str) -> etree._Element:
        """Return an element that the schema demands."""
        found = self.find(within, path)
        assert found is not None, f"the schema demands {path}"
        return found

    def all(self, within: etree._Element, path: str) -> list[etree._Element]:
        return within.findall(self._qualified(path))

    def text(self, within: etree._Element, *paths: str) -> str | None:
        """Return the text of the first path that is there."""
        for path in paths:
            found = within.findtext(self._qualified(path))
            if found:
                return found
        return None

    def the_text(self, within: etree._Element, path: str) -> str:
        return self.the(within, path).text or ""

    def amount(self, element: etree._Element) -> int:
        """Return the fen of an element with a currency; refuse another currency, a third decimal, too much."""
        currency = element.get("Ccy")
        if currency != "CNY":
            raise self.refusal(
                element, "currency", f"币种为 {currency}，仅接受 CNY", f"the currency is {currency}, only CNY is taken"
            )
        fen = amounts.read_amount(element.text or "")
        if fen is None:
            raise self.refusal(
                element, "fraction", f"金额 {element.text} 超过两位小数", f"{element.text} has more than two decimals"
            )
        if fen > LARGEST_EXACT_INTEGER:
            raise self.refusal(
                element, "too_much", f"金额 {element.text} 过大", f"{element.text} is more than there is"
            )
        return fen

    def instant(self, element: etree._Element) -> datetime:
        """Return a date's first moment, or a date and time, in UTC."""
        written = (element.text or "").strip()
        try:
            moment = datetime.fromisoformat(written if "T" in written else f"{written[:10]}T00:00:00{written[10:]}")
            return (moment if moment.tzinfo else moment.replace(tzinfo=BEIJING)).astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise self.refusal(
                element, "time", f"时间 {written} 无法识别", f"{written} is no time that we can read"
            ) from error

    def hold_count(self, within: etree._Element, path: str, found: int) -> None:
        """Refuse the file where it says another number than ``found``."""
        said = self.find(within, path)
        if said is not None and int(said.text or "") != found:
            raise self.refusal(
                said, "count", f"所报笔数 {said.text}，实为 {found}", f"it says {said.text}, the file has {found}"
            )

    def hold_sum(self, within: etree._Element, path: str, found: int) -> None:
        """Refuse the file where it says another sum than ``found``, in fen."""
        said = self.find(within, path)
        if said is not None and amounts.read_sum(said.text or "") != found:
            actual = amounts.signed(found)
            raise self.refusal(
                said,
                "sum",
                f"所报金额 {said.text}，合计应为 {actual}",
                f"it says {said.text}, the file adds up to {actual}",
            )

    def refusal(self, element: etree._Element, code: str, zh: str, en: str) -> FileRefusedError:
        name = etree.QName(element).localname
        return FileRefusedError(self.line(element), code, Text(zh=f"{name}：{zh}。", en=f"{name}: {en}."))

    def line(self, element: etree._Element) -> int:
        return self._lines.of(element)

    def _qualified(self, path: str) -> str:
        return self._prefix + path.replace("/", f"/{self._prefix}")
