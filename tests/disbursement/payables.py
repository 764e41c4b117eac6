"""Payments that are due, from two pools; files that are made of them and taken: what the tests of files speak with."""

from pathlib import Path
from typing import Any

from contracts.common import Account
from contracts.events import AwardIssued, PaymentInstructed
from contracts.policy import PaymentRules
from disbursement import programme
from kit.database import Database
from tests.disbursement.finance import Finance, told
from tests.disbursement.scenes import PROGRAMME, SCHEME, YUAN, Scene, approved, only, policy, publish, verified

TREASURY = Account("深圳市财政局", "44201501100050000001", "105584000021")
FUND = Account("人工智能基金", "44201501100050000002", "105584000021")
DEBTORS = {"test-pool": TREASURY, "other-pool": FUND}
OTHER = "other-voucher"
NOTHING = {"moved": 0, "duplicate": 0, "discrepancy": 0, "pending": 0}
TWO_POOLS = (
    PROGRAMME
    + """
  - {pool: other-pool, name: {zh-CN: 其他, en: Other}, appropriated: {amount: 100000000, currency: CNY}}
"""
)


async def two_pools(database: Database, directory: Path) -> None:
    """Open two pools with a scheme each, committed."""
    path = directory / "programme.yaml"
    path.write_text(TWO_POOLS, encoding="utf-8")
    await programme.open_pools(database, programme.read(path))
    async with database.transaction() as connection:
        scene = Scene(connection)
        await publish(scene, policy(payments=PaymentRules()))
        await publish(scene, policy(payments=PaymentRules(), scheme=OTHER, pool="other-pool", number_prefix="OV"))


async def instructed(
    database: Database, *yuan: int, scheme: str = SCHEME, pool: str = "test-pool", **changes: Any
) -> list[PaymentInstructed]:
    """Return one new instruction for each claim of so many yuan of expense, of which 60 % are paid."""
    approval = approved(90_000 * YUAN, scheme=scheme, pool=pool, **changes)
    award = only(await told(database, approval), AwardIssued)
    claims = [verified(award, amount * YUAN) for amount in yuan]
    return [event for event in await told(database, *claims) if isinstance(event, PaymentInstructed)]


async def make(finance: Finance, **body: Any) -> Any:
    answer = await finance.post("/v1/payment-files", body or None)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def obligated(finance: Finance) -> int:
    return sum(pool["obligated"]["amount"] for pool in (await finance.get("/v1/pools"))["items"])


async def take(finance: Finance, content: str) -> Any:
    """Hand over a file that must be taken; return what it did."""
    answer = await finance.send(content)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def statuses(finance: Finance) -> dict[str, str]:
    return {each["end_to_end_id"]: each["status"] for each in (await finance.get("/v1/payments"))["items"]}


async def details(finance: Finance) -> list[str]:
    return [each["detail"] for each in (await finance.get("/v1/discrepancies"))["items"]]


async def again(finance: Finance, payment: PaymentInstructed) -> None:
    answer = await finance.post(f"/v1/payments/{payment.payment_id}/instruction", {"reason": "the account is right"})
    assert answer.status_code == 201, answer.text
