"""From figures to what is drawn: names, texts, lengths of bars, in one language. Pure; the template lays it out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from metrics.page import amounts
from metrics.page.figures import Figures, SchemeSums
from metrics.page.freshness import Freshness
from metrics.page.latest import Shown
from metrics.page.shapes import Chart, Column, PoolView, Row, State, Step, Table
from metrics.page.words import Words
from metrics.programme import Programme
from metrics.rules.books import APPROPRIATED, Pool
from metrics.rules.disclosure import REST, Cell, Disclosed
from metrics.rules.lifecycle import FUNNEL

STATES: Final = ("disbursed", "obligated", "committed", "available")  # as the bars have them, from the left
MONTHS_DRAWN: Final = 12


class View:
    """Everything that the template asks for. ``figures`` is None while there are none."""

    def __init__(self, shown: Shown, programme: Programme, words: Words) -> None:
        self.figures = shown.figures
        self.words = words
        self._programme = programme
        self._shown = shown

    @property
    def title(self) -> str:
        named = self._programme.title
        return named.in_language(self.words.language) if named is not None else self.words["programme"]

    # --- how current ---------------------------------------------------------------------------------------------

    @property
    def is_current(self) -> bool:
        return self._shown.readable and self._shown.freshness.state == "current" and not self._given.parked

    def news(self) -> Iterator[str]:
        """Yield the sentences that say how far the figures can be trusted."""
        if not self._shown.readable:
            yield self.words["unreadable"]
            return
        yield from self._late(self._shown.freshness)
        if self._given.parked:
            yield self.words("parked", events=self.words.number(self._given.parked))

    def _late(self, freshness: Freshness) -> Iterator[str]:
        match freshness.state:
            case "current":
                if not self._given.parked:
                    yield self.words["current"]
                return
            case "unknown":
                yield self.words["unknown"]
            case "late":
                yield self.words("late", events=self.words.number(freshness.events))
                if freshness.seconds:
                    yield self.words("late_since", wait=self.words.wait(freshness.seconds))
        if self._given.last_event_at is not None:
            yield self.words("last_event", time=self.words.moment(self._given.last_event_at))

    # --- money ---------------------------------------------------------------------------------------------------

    @property
    def total(self) -> PoolView:
        """All pools as one."""
        sums = {name: sum(getattr(pool, name) for pool in self._given.pools) for name in (APPROPRIATED, *STATES)}
        return self._pool(Pool(pool="total", **sums), self.words["all_pools"], doubtful=False)

    def pools(self) -> list[PoolView]:
        return [
            self._pool(pool, self._name_of(pool.pool), doubtful=bool(pool.imbalance or pool.breaks))
            for pool in self._given.pools
        ]

    def schemes(self) -> list[Table]:
        """Return each pool's schemes, those that most was drawn of first."""
        tables = []
        for pool in self._given.pools:
            sums = [each for each in self._given.schemes if each.pool == pool.pool and each.drawn]
            longest = max((each.drawn for each in sums), default=0)
            rows = [self._row(self._scheme(each), each.drawn, each.disbursed, longest) for each in sums]
            tables.append(self._table(pool, rows))
        return tables

    def districts(self) -> list[Table]:
        """Return each pool's districts, those that most was paid to first, the rest last."""

        def order(cell: Cell) -> tuple[bool, int, str]:
            return cell.key == REST, -cell.disbursed, cell.key

        return self._tables(self._given.districts, order)

    def months(self) -> list[tuple[Table, Chart | None]]:
        """Return each pool's months, the last first, each pool with a chart."""

        def order(cell: Cell) -> tuple[bool, int, str]:
            return cell.key == REST, -_number(cell.key), cell.key

        tables = self._tables(self._given.months, order)
        return [(table, self._chart(self._given.months.get(table.pool), table.name)) for table in tables]

    # --- applications and targets --------------------------------------------------------------------------------

    def steps(self) -> list[Step]:
        submitted = self._given.funnel[FUNNEL[0]]
        return [
            Step(
                self.words[step],
                self.words.number(count),
                amounts.percent(count, submitted),
                amounts.length(count, submitted),
            )
            for step, count in self._given.funnel.items()
        ]

    def targets(self) -> list[Step]:
        found = []
        for target, actual in self._given.targets:
            unit = self.words[target.unit] if target.unit == "m2" else f" {target.unit}" if target.unit else ""
            said = self.words(
                "target_is", actual=self.words.number(actual), value=self.words.number(target.value), unit=unit
            )
            by = self.words("by_date", date=self.words.date(target.by))
            name = target.name.in_language(self.words.language).replace(" m2", " m²")
            found.append(Step(name, said, by, amounts.length(actual, target.value)))
        return found

    # --- parts ---------------------------------------------------------------------------------------------------

    @property
    def _given(self) -> Figures:
        assert self.figures is not None, "a page without figures shows none"
        return self.figures

    def _name_of(self, pool: str) -> str:
        names = self._programme.name_of(pool)
        return names[self.words.language] if names is not None else pool

    def _scheme(self, sums: SchemeSums) -> str:
        title = self._given.titles.get(sums.scheme)
        return title.in_language(self.words.language) if title is not None else sums.scheme

    def _key(self, key: str, by: Mapping[str, Disclosed], pool: str) -> str:
        if key == REST:
            kind = "rest_district" if by is self._given.districts else "rest_month"
            return self.words(kind, n=by[pool].withheld)
        if by is self._given.months:
            return self.words.month(key)
        names = {each.district: each.name.in_language(self.words.language) for each in self._programme.districts}
        return names.get(key, key) or self.words["no_district"]

    def _pool(self, pool: Pool, name: str, *, doubtful: bool) -> PoolView:
        sums = [getattr(pool, state) for state in STATES]
        drawn = pool.committed + pool.obligated + pool.disbursed
        ratio = amounts.percent(drawn, pool.appropriated)
        states = [
            State(state, amount, amounts.percent(amount, pool.appropriated), start, length)
            for state, amount, (start, length) in zip(
                STATES, sums, amounts.stacked(sums, pool.appropriated), strict=True
            )
        ]
        written = {
            state: amounts.rounded(amount, self.words.language) for state, amount in zip(STATES, sums, strict=True)
        }
        appropriated = amounts.rounded(pool.appropriated, self.words.language)
        says = self.words("bar_says", pool=name, appropriated=appropriated, drawn=ratio, **written)
        return PoolView(pool.pool, name, pool.appropriated, drawn, ratio, states, says, doubtful)

    def _tables(self, by: Mapping[str, Disclosed], order: Callable[[Cell], Any]) -> list[Table]:
        tables = []
        for pool in self._given.pools:
            cells = sorted(by[pool.pool].cells, key=order) if pool.pool in by else []
            longest = max((cell.disbursed for cell in cells), default=0)
            rows = [
                self._row(self._key(cell.key, by, pool.pool), cell.promised, cell.disbursed, longest) for cell in cells
            ]
            tables.append(self._table(pool, rows))
        return tables

    def _table(self, pool: Pool, rows: Sequence[Row]) -> Table:
        drawn, paid = sum(row.drawn for row in rows), sum(row.paid for row in rows)
        return Table(pool.pool, self._name_of(pool.pool), rows, drawn, paid)

    @staticmethod
    def _row(name: str, drawn: int, paid: int, longest: int) -> Row:
        return Row(name, drawn, paid, amounts.length(drawn, longest), amounts.length(paid, longest))

    def _chart(self, disclosed: Disclosed | None, name: str) -> Chart | None:
        """Return the last months that may be shown by themselves, each at its place; None where there are none."""
        known = {_number(cell.key): cell for cell in disclosed.cells if cell.key != REST} if disclosed else {}
        if not known:
            return None
        last = max(known)
        first = max(min(known), last - MONTHS_DRAWN + 1)
        drawn = range(first, last + 1)
        most = max((known[number].disbursed for number in drawn if number in known), default=0)
        said = [
            f"{self.words.month(cell.key)} {amounts.rounded(cell.disbursed, self.words.language)}"
            for number, cell in sorted(known.items())
            if number >= first
        ]
        comma = "，" if self.words.language == "zh-CN" else ", "
        return Chart(
            columns=[
                self._column(number, known.get(number), place, len(drawn), most) for place, number in enumerate(drawn)
            ],
            most=most,
            says=self.words("months_say", pool=name, months=comma.join(said)),
            is_cut=min(known) < first,
        )

    def _column(self, number: int, cell: Cell | None, place: int, count: int, most: int) -> Column:
        key = f"{number // 12:04d}-{number % 12 + 1:02d}"
        height = amounts.length(cell.disbursed, most) if cell is not None else 0.0
        says = amounts.exact(cell.disbursed, self.words.language) if cell is not None else ""
        slot = 100 / max(count, 6)  # a single month is a column, not a wall
        return Column(
            label=self.words.short_month(key),
            year=key[:4] if place == 0 or key.endswith("-01") else "",
            says=f"{self.words.month(key)}: {says}" if says else "",
            start=round(place * slot + slot * 0.19, 2),
            width=round(slot * 0.62, 2),
            top=round(100 - height, 2),
            height=height,
        )


def _number(key: str) -> int:
    """Return a month ``2026-03`` as a number that rises by one each month; 0 for the rest."""
    if key == REST:
        return 0
    year, month = map(int, key.split("-"))
    return year * 12 + month - 1
