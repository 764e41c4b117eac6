"""You are at what a run prints: faults by kind with a proof, recovery times, invariants with their verdicts."""

from collections import defaultdict
from statistics import median

from tests.faults.director import Happened
from tests.faults.run import Outcome


def tell(outcome: Outcome) -> None:
    """Print everything."""
    plan = outcome.plan
    print(f"\nseed {plan.seed}: {outcome.applications} applications, {outcome.tries} tries of requests logged")
    print(f"the suite itself took {outcome.own_share:.0%} of a processor")
    _tell_faults(outcome.happened)
    _tell_invariants(outcome)
    if outcome.left:
        print(f"\n{len(outcome.left)} companies were left without an answer, as {outcome.left[0]}")


def _tell_faults(happened: list[Happened]) -> None:
    by_name: defaultdict[tuple[str, str], list[Happened]] = defaultdict(list)
    for each in happened:
        by_name[each.fault.kind, each.fault.name].append(each)
    real = [each for each in happened if each.proof]
    print(f"\n{len(real)} faults of {len({each.fault.name for each in real})} kinds happened")
    print(f"{'kind':5}{'fault':32}{'times':>6}{'back s, median':>16}{'worst':>8}  one proof")
    for (kind, name), all_of in sorted(by_name.items(), key=lambda item: (int(item[0][0][1:]), item[0][1])):
        proofs = [one.proof for one in all_of if one.proof]
        times = [one.back for one in all_of if one.back is not None]
        middle, worst = (f"{median(times):.1f}", f"{max(times):.1f}") if times else ("-", "-")
        print(f"{kind:5}{name:32}{len(proofs):>6}{middle:>16}{worst:>8}  {proofs[0] if proofs else '-'}")
        for one in all_of:
            if not one.proof:
                print(f"     did not happen: {one.why_not}")


def _tell_invariants(outcome: Outcome) -> None:
    print("\ninvariants")
    for verdict in outcome.verdicts:
        print(f"{'holds ' if verdict.holds else 'BROKEN'}  {verdict.name:42}{verdict.seen}")
        for difference in verdict.shown():
            print(f"          {difference}")
