"""Writes docs/reference/dashboards.md: each board, its panels, what they answer, and what they ask."""

from collections.abc import Iterator, Sequence

from deploy.grafana.model import Board, Panel

_HEAD = """# Dashboards

Generated from [`deploy/grafana/boards`](../../deploy/grafana/boards) by `python -m deploy.grafana`. How to get them:
[watch the programme](../how-to/watch-the-programme.md#boards).

Series with colons are recorded by [the rules](../../deploy/prometheus/rules); the others are in
[the contract](../contract.md#metrics). `$names` are what the reader chooses, or Grafana's own intervals.
"""


def text(boards: Sequence[Board]) -> str:
    """Return the page."""
    return "\n".join([_HEAD, *(line for board in boards for line in _board(board))])


def _board(board: Board) -> Iterator[str]:
    yield f"## {board.title.removeprefix('Drawdown: ').capitalize()}\n"
    chosen = ", ".join(f"`var-{variable.name}`" for variable in board.variables)
    yield f"{board.question} `/d/{board.uid}`{f' with {chosen}' if chosen else ''}\n"
    for row in board.rows:
        yield f"### {row.title}\n"
        yield "| panel | answers | asks |"
        yield "|---|---|---|"
        for panel in row.panels:
            yield f"| {panel.id} {panel.title} | {panel.question}{_alerts(panel)} | {_queries(panel)} |"
        yield ""


def _alerts(panel: Panel) -> str:
    return f" Alerts that lead here: {', '.join(f'`{name}`' for name in panel.alerts)}." if panel.alerts else ""


def _queries(panel: Panel) -> str:
    return "<br>".join("`" + query.expression.replace("|", "\\|") + "`" for query in panel.queries)
