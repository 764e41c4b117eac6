"""The outside registers over HTTP: business registration, credit records, related companies, providers.

Every answer is computed from the code that is asked about; nothing is stored but the end of an outage, which
tests switch on to see the services wait. The same process hands out the public keys of the local issuer of tokens
(RFC 7517), read at each call, so that a new key is there at once; an outage of the registers is none of the issuer.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stack.issuer import JWKS_PATH
from stack.simulators.population import Company, Role, find
from stack.simulators.relations import providers, related

# Larger than any demo, small enough that a code made up by hand is unknown.
COMPANIES_BY_DEFAULT: Final = 1_000_000
_LONGEST_OUTAGE_SECONDS: Final = 3600.0


@dataclass(slots=True)
class Registers:
    """The population behind the registers, and until when they are out of order (monotonic seconds)."""

    seed: int
    companies: int = COMPANIES_BY_DEFAULT
    out_until: float = 0.0

    def company(self, uscc: str) -> Company | None:
        return find(self.seed, uscc, self.companies)

    def business_registration(self, uscc: str) -> Response:
        company = self.company(uscc)
        if company is None or company.role is Role.UNKNOWN:
            return _json({"detail": "no company with this unified social credit code"}, 404)
        return _json(
            {
                "uscc": uscc,
                "name": company.name,
                "status": "dissolved" if company.role is Role.DISSOLVED else "active",
                "registered_on": company.registered_on,
                "district": company.district,
            }
        )

    def credit_record(self, uscc: str) -> Response:
        company = self.company(uscc)
        blacklisted = company is not None and company.role is Role.BLACKLISTED
        return _json({"uscc": uscc, "blacklisted": blacklisted})

    def related_companies(self, uscc: str) -> Response:
        members = related(self.seed, uscc)
        return _json({"uscc": uscc, "group": members[0], "members": members})

    def provider(self, uscc: str) -> Response:
        listed = next((provider for provider in providers(self.seed) if provider.uscc == uscc), None)
        if listed is None:
            return _json({"detail": "not a listed provider"}, 404)
        return _json(
            {
                "uscc": uscc,
                "name": listed.name,
                "listed": True,
                "services": listed.services,
                "listed_from": listed.listed_from,
                "listed_until": listed.listed_until,
            }
        )


class Outage(msgspec.Struct):
    """The body of the admin switch: the registers answer 503 for so long; 0 ends an outage."""

    seconds: float


def create_app(registers: Registers, jwks: Path | None = None) -> Starlette:
    """Return the ASGI application that serves these registers, and the issuer's public keys where there is a file."""

    def lookup(answer: Callable[[str], Response]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            if time.monotonic() < registers.out_until:
                return _json({"detail": "out of order"}, 503)
            return answer(request.path_params["uscc"])

        return endpoint

    async def outage(request: Request) -> Response:
        try:
            wanted = msgspec.json.decode(await request.body(), type=Outage)
        except msgspec.MsgspecError as error:
            return _json({"detail": str(error)}, 422)
        seconds = min(max(wanted.seconds, 0.0), _LONGEST_OUTAGE_SECONDS)
        registers.out_until = time.monotonic() + seconds
        return _json({"seconds": seconds})

    async def live(_: Request) -> Response:
        return _json({"status": "ok"})

    def issuer_keys(_: Request) -> Response:
        if jwks is None:
            return _json({"detail": "no issuer here"}, 404)
        return Response(jwks.read_bytes(), media_type="application/jwk-set+json")

    return Starlette(
        routes=[
            Route(JWKS_PATH, issuer_keys),
            Route("/business-registration/companies/{uscc}", lookup(registers.business_registration)),
            Route("/credit-records/{uscc}", lookup(registers.credit_record)),
            Route("/related-companies/{uscc}", lookup(registers.related_companies)),
            Route("/providers/{uscc}", lookup(registers.provider)),
            Route("/simulator/outage", outage, methods=["POST"]),
            Route("/health/live", live),
            Route("/health/ready", live),
        ]
    )


def _json(body: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")
