"""Panels that several boards have."""

from deploy.grafana.model import MOMENT, Panel, Query


def as_of(number: int, width: int) -> Panel:
    """Return the panel that every board with figures of the programme begins with."""
    return Panel(
        id=number,
        title="Figures as of",
        question="Of what moment are these figures? The time of the latest event that they include.",
        queries=(Query("programme:last_event_timestamp_seconds:max * 1000", "as of"),),
        unit=MOMENT,
        shape="number",
        width=width,
        height=4,
    )
