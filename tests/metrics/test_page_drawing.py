"""The page as it is drawn, from given figures: amounts, words, tables that add up, nothing that its policy forbids."""

from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from contracts.common import Text
from metrics import programme
from metrics.page import drawing
from metrics.page.figures import Figures, SchemeSums
from metrics.page.freshness import Freshness
from metrics.page.latest import Shown
from metrics.page.words import LANGUAGES, Language, Words
from metrics.rules.books import Pool
from metrics.rules.disclosure import Behind, Cell, disclose
from tests.metrics.conftest import PROGRAMME_FILE, SHENZHEN

PROGRAMME = programme.read(PROGRAMME_FILE)
CURRENT = Freshness("current")
AS_OF = datetime(2026, 3, 15, 16, 5, 9, tzinfo=SHENZHEN)
POOL = "ai-package-2025"
MANY, ONE = Behind(9), Behind(1, frozenset([UUID(int=1)]))
DISTRICTS = [Cell("nanshan", 90_000_000, 60_000_000, MANY, MANY), Cell("futian", 30_000_000, 20_000_000, MANY, MANY)]
MONTHS = [Cell("2026-02", 40_000_000, 30_000_000, MANY, MANY), Cell("2026-03", 80_000_000, 50_000_000, MANY, MANY)]


def figures(**more: Any) -> Figures:
    sums = {"available": 449_880_000_000, "committed": 30_000_000, "obligated": 10_000_000, "disbursed": 80_000_000}
    pool = Pool(pool=POOL, appropriated=450_000_000_000)
    for state, amount in sums.items():
        setattr(pool, state, amount)
        setattr(pool, f"carried_{state}", amount)
    known: dict[str, Any] = {
        "as_of": AS_OF,
        "pools": [pool],
        "schemes": [SchemeSums(POOL, "compute-voucher", 30_000_000, 10_000_000, 80_000_000)],
        "districts": {POOL: disclose(DISTRICTS)},
        "months": {POOL: disclose(MONTHS)},
        "funnel": {"submitted": 1371, "decided": 40, "awarded": 30, "claimed": 20, "paid": 10},
        "targets": [(PROGRAMME.targets[1], 168_794)],
        "titles": {"compute-voucher": Text("训力券", "Compute voucher")},
    }
    return Figures(**known | more)


class Read(HTMLParser):
    """The page as a browser takes it apart: its tags with their attributes, its text, the amounts by table."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.tables: list[list[list[int]]] = []
        self.open: list[str] = []
        self.feed(page.decode())
        assert self.open == [], "a tag stays open"

    _VOID = frozenset({"meta", "link", "input", "br"})

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.tags.append((tag, found))
        if tag not in self._VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag == "data" and "table" in self.open:
            self.tables[-1][-1].append(int(found["value"]))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"{tag} closes something else"

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


def draw(shown: Shown, language: Language = "en") -> Read:
    return Read(drawing.draw(shown, PROGRAMME, language))


def shown(**more: Any) -> Shown:
    return Shown(figures(**more), readable=True, freshness=CURRENT)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_whole_and_says_its_language(language: Language) -> None:
    page = draw(shown(), language)
    assert dict(page.tags)["html"] == {"lang": language}
    assert [tag for tag, _ in page.tags if tag == "h1"] == ["h1"]
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_inline_and_nothing_comes_from_elsewhere(language: Language) -> None:
    for tag, attributes in draw(shown(), language).tags:
        assert "style" not in attributes, tag
        assert not [name for name in attributes if name.startswith("on")], tag
        assert tag != "style"
        if tag == "script":
            assert attributes["src"].startswith("/page/")
        for name in ("src", "href"):
            assert not attributes.get(name, "").startswith(("http", "//")), attributes


def test_every_figure_is_said_in_the_words_of_the_domain() -> None:
    text = draw(shown()).text
    for word in ("Appropriated", "Available", "Committed", "Obligated", "Disbursed", "drawn down", "Compute voucher"):
        assert word in text
    assert "CNY 4.50 billion" in text
    assert "CNY 800,000.00" in text
    assert "15 March 2026, 16:05:09 (Beijing time)" in text
    assert "1,371" in text
    assert "168,794 of 500,000 m²" in text


def test_chinese_readers_get_chinese_words_and_units() -> None:
    text = draw(shown(), "zh-CN").text
    for word in (
        "45.00 亿元",
        "80.00 万元",
        "训力券",
        "南山区",
        "2026年3月15日 16:05:09（北京时间）",
        "已承诺",
        "待支付",
    ):
        assert word in text


def test_rows_add_up_to_what_the_pool_has_paid_to_the_fen() -> None:
    page = draw(shown())
    sums = [table for table in page.tables if table and table[0] == [] and len(table[-1]) == 2]
    assert len(sums) == 3  # schemes, months, districts
    for table in sums:
        rows, total = table[1:-1], table[-1]
        assert [sum(column) for column in zip(*rows, strict=True)] == total == [120_000_000, 80_000_000]


def test_a_district_of_few_companies_is_not_named() -> None:
    cells = [*DISTRICTS, Cell("dapeng", 700_000_00, 500_000_01, ONE, ONE)]
    page = draw(shown(districts={POOL: disclose(cells)}))
    assert "Dapeng" not in page.text
    assert "Other districts (2 together)" in page.text
    assert not [row for table in page.tables for row in table if 500_000_01 in row]


def test_a_month_of_few_companies_is_neither_in_the_table_nor_in_the_chart() -> None:
    cells = [*MONTHS, Cell("2026-01", 700_000_00, 500_000_01, ONE, ONE)]
    page = draw(shown(months={POOL: disclose(cells)}))
    assert "January 2026" not in page.text
    assert "Other months (2 together)" in page.text
    says = [attributes["aria-label"] for _, attributes in page.tags if attributes.get("class") == "columns"]
    assert says == ["Paid each month from 2025 support package for AI and robotics: March 2026 CNY 500,000.00."]


def test_a_chart_has_a_text_and_bars_beside_figures_are_silent() -> None:
    for tag, attributes in draw(shown()).tags:
        if tag == "svg":
            assert attributes.get("aria-hidden") == "true" or len(attributes["aria-label"]) > 20


def test_a_pool_whose_books_do_not_agree_is_called_doubtful() -> None:
    pool = Pool(pool=POOL, appropriated=100, available=100, carried_available=99)
    assert "The books of this pool are being checked" in draw(shown(pools=[pool])).text
    assert "being checked" not in draw(shown()).text


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (Shown(figures(), readable=True, freshness=CURRENT), ["Everything on record is counted."]),
        (
            Shown(figures(last_event_at=AS_OF), readable=True, freshness=Freshness("late", 1234, 700)),
            ["1,234 events are not counted yet", "has waited for 11 min", "The last event counted is of 15 March 2026"],
        ),
        (
            Shown(figures(), readable=True, freshness=Freshness("unknown")),
            ["The service cannot tell right now whether there is more to count."],
        ),
        (Shown(figures(), readable=False, freshness=Freshness("unknown")), ["cannot read its books right now"]),
        (Shown(figures(parked=3), readable=True, freshness=CURRENT), ["3 events could not be counted"]),
    ],
    ids=["current", "late", "unknown", "unreadable", "parked"],
)
def test_how_current_the_figures_are_is_said_in_a_sentence(given: Shown, says: list[str]) -> None:
    page = draw(given)
    for sentence in says:
        assert sentence in page.text
    current = "Everything on record is counted." in page.text
    assert current == (says == ["Everything on record is counted."])
    assert any("alarmed" in attributes.get("class", "") for _, attributes in page.tags) != current


@pytest.mark.parametrize("language", LANGUAGES)
def test_without_figures_the_page_says_so(language: Language) -> None:
    page = draw(Shown(None, readable=False, freshness=Freshness("unknown")), language)
    assert Words(language)["none"] in page.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_programme_that_has_just_begun_can_be_drawn(language: Language) -> None:
    funnel = dict.fromkeys(("submitted", "decided", "awarded", "claimed", "paid"), 0)
    nothing: dict[str, Any] = {"schemes": [], "districts": {}, "months": {}, "funnel": funnel, "titles": {}}
    opened = Pool(pool="new", appropriated=100, available=100)
    draw(shown(pools=[], **nothing), language)
    page = draw(shown(pools=[opened], **nothing), language)
    assert Words(language)["nothing"] in page.text


def test_names_that_look_like_tags_stay_text() -> None:
    titles = {"compute-voucher": Text("<script>", '"><img src=x>')}
    page = draw(shown(titles=titles))
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert '"><img src=x>' in page.text


def test_more_than_a_year_of_months_is_in_the_table_and_the_last_twelve_in_the_chart() -> None:
    cells = [Cell(f"{2025 + m // 12}-{m % 12 + 1:02d}", 1_000, 1_000, MANY, MANY) for m in range(15)]
    page = draw(shown(months={POOL: disclose(cells)}))
    assert "The chart has the last 12 months" in page.text
    assert "January 2025" in page.text
    [says] = [attributes["aria-label"] for _, attributes in page.tags if attributes.get("class") == "columns"]
    assert "January 2025" not in says
    assert "April 2025" in says


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_is_there_in_both_languages(language: Language) -> None:
    keys = Path(drawing.__file__).with_name("words.toml").read_text("utf-8")
    words = Words(language)
    for line in keys.splitlines():
        if "=" in line and not line.startswith("#"):
            assert words[line.split(" = ")[0]].strip()


def test_a_file_s_place_changes_with_its_content() -> None:
    for file in drawing.files().values():
        assert file.place == f"/page/{file.name}?v={drawing.digest(file.content)}"
    assert drawing.files().keys() == {"page.css", "page.js", "icon.svg"}
