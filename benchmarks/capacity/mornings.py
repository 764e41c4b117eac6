"""Ten cities' opening mornings, played through queues: who waits where, and when all are decided.

A fluid model in steps of a tenth of a second: what arrives at a service waits until its cores have worked it off, then
arrives at the next. Each service has so many cores of its own, as replicas on nodes have. It knows nothing of batches,
commits, PostgreSQL and networks: it finds what the services' CPU alone allows.
"""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Final

import msgspec

from benchmarks.opening.plan import Plan, arrivals

STEP: Final = 0.1
FLOW: Final = ("intake", "eligibility", "disbursement", "metrics")
_LONGEST: Final = 3_600.0


class Queue(msgspec.Struct):
    """One service: ``rate`` applications a second at most."""

    rate: float
    waiting: float = 0.0
    done: float = 0.0
    longest_wait: float = 0.0

    def work(self, arriving: float) -> float:
        """Take what arrives in a step; return what is finished in it."""
        self.waiting += arriving
        finished = min(self.waiting, self.rate * STEP)
        self.waiting -= finished
        self.done += finished
        self.longest_wait = max(self.longest_wait, self.waiting / self.rate)
        return finished


class Morning(msgspec.Struct, frozen=True):
    """What a simulation found. Seconds count from the first opening; waits are the longest at each service."""

    all_decided: float
    waits: Mapping[str, float]


def openings(cities: int, apart_seconds: float) -> list[float]:
    """Return when each submission arrives, of cities that open so long after each other."""
    moments: list[float] = []
    for city in range(cities):
        plan = Plan(seed=city)
        draw = Random(f"capacity {city}")
        moments += [city * apart_seconds + moment for moment in arrivals(plan, draw)]
    return sorted(moments)


def play(moments: Sequence[float], cpu_per_1000: Mapping[str, float], cores: Mapping[str, float]) -> Morning:
    """Play arrivals through services with so many cores each; ``cpu_per_1000``: seconds by service."""
    queues = {name: Queue(rate=1_000 * cores[name] / cpu_per_1000[name]) for name in FLOW}
    # Decided is what disbursement has answered; metrics follows beside, as intake's own view does.
    now, arrived, decided = 0.0, 0, 0.0
    while decided < len(moments) - 0.5 and now < _LONGEST:
        now += STEP
        upto = arrived
        while upto < len(moments) and moments[upto] <= now:
            upto += 1
        flow = float(upto - arrived)
        arrived = upto
        for name in FLOW:
            flow = queues[name].work(flow)
            if name == "disbursement":
                decided += flow
    return Morning(now, {name: queue.longest_wait for name, queue in queues.items()})
