"""You are where the doctor looks at the clock. A machine can't tell by itself that its clock is wrong: others have to.

| compared with | precise to | tells |
|---|---|---|
| each running service (`Date` of its answers) | 1 s | a process that believes in another time than we do |
| each service's PostgreSQL (`python -m <service> check`) | ms | our clock, or its, when it is elsewhere |
| the issuer of tokens (the same) | 1 s | our clock, or its |
| `--time-source URL`: any HTTP server whose clock is trusted | 1 s | our clock |
| chrony's tracking, where it runs | ms | our clock, as its servers see it |
| the kernel's own estimate of its error | | whether anybody keeps this clock at all |

Kafka's protocol has no question for a broker's time.
"""

import ctypes
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC
from email.utils import parsedate_to_datetime

import httpx

from stack.doctor.finding import Finding, unknown, well, wrong

TOLERANCE_SECONDS = 10.0
"""What the services grant to the clock of an issuer of tokens (`kit.access_tokens`)."""
ANSWER_SECONDS = 5.0
WHY = "deadlines, tokens and the order of a timeline go by clocks; beyond 10 s tokens are refused"
MEND = "have an NTP client set the clock: timedatectl set-ntp true, or chronyc makestep; chronyc tracking shows it"
_NOBODY_KEEPS_IT = 0x0040  # STA_UNSYNC of sys/timex.h


def compared(check: str, whose: str, ahead_seconds: float) -> Finding:
    """What it means that another clock is so far ahead of ours."""
    if abs(ahead_seconds) <= TOLERANCE_SECONDS:
        return well(check, f"agrees with {whose} to {abs(ahead_seconds):.1f} s")
    where = "behind" if ahead_seconds > 0 else "ahead of"
    return wrong(check, f"our clock is {abs(ahead_seconds):.0f} s {where} that of {whose}", why=WHY, mend=MEND)


def by_http(check: str, whose: str, url: str, clock: Callable[[], float] = time.time) -> Finding:
    """Compare with the `Date` of an answer, whose second is taken in its middle (RFC 9110, 6.6.1)."""
    try:
        sent = clock()
        answer = httpx.head(url, timeout=ANSWER_SECONDS, follow_redirects=False)
        now = (sent + clock()) / 2
        theirs = parsedate_to_datetime(answer.headers["date"])
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return unknown(check, f"{url} does not answer: {str(error) or type(error).__name__}")
    except (KeyError, ValueError):
        return unknown(check, f"{url} sends no date: name another one with --time-source")
    theirs = theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC)
    return compared(check, whose, theirs.timestamp() + 0.5 - now)


def keeper() -> Iterator[Finding]:
    """Who keeps this machine's clock, as far as it says so itself."""
    if (tracking := _chrony()) is not None:
        yield compared("clock by chrony", "chrony's servers", -tracking)
    kept = _kept_by_kernel()
    if kept is None:
        yield unknown("clock's keeper", "this system does not say whether its clock is kept")
    elif kept:
        yield well("clock's keeper", "the kernel says that an NTP client keeps this clock")
    else:
        said = "the kernel says that nobody keeps this clock; compare it with one that is right by --time-source URL"
        yield unknown("clock's keeper", said)


def _chrony() -> float | None:
    """How far our clock is ahead of chrony's servers, in seconds; None where no chrony says so."""
    program = shutil.which("chronyc")
    if program is None:
        return None
    done = subprocess.run([program, "-c", "-n", "tracking"], capture_output=True, text=True, check=False, timeout=10)
    return chrony_offset(done.stdout) if done.returncode == 0 else None


def chrony_offset(tracking: str) -> float | None:
    """The fifth field of `chronyc -c tracking`: system time, seconds, positive when ahead; None when unsynchronised."""
    fields = tracking.strip().split(",")
    if len(fields) < 14 or fields[-1] == "Not synchronised":
        return None
    return float(fields[4])


class _Timex(ctypes.Structure):
    """The head of Linux's `struct timex`, with room for the rest."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        *((name, ctypes.c_long) for name in ("offset", "freq", "maxerror", "esterror")),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_long * 40),
    )


def _kept_by_kernel() -> bool | None:
    """By adjtimex(2), which only reads when no mode is set. None on another system than Linux, or where refused."""
    if not sys.platform.startswith("linux"):
        return None
    state = _Timex()
    if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(state)) < 0:
        return None
    return not state.status & _NOBODY_KEEPS_IT
