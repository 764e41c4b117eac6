"""Pure decisions of intake: what may be submitted, withdrawn or claimed now, and which status the facts amount to."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from contracts.policy import Policy
from contracts.refusal import Refusal
from intake.records import Application

WITHDRAWABLE: Final = frozenset(
    {"draft", "submitted", "assessing", "clarifying", "in_review", "public_notice", "approved", "waitlisted"}
)

_REVIEWED_BY: Final = {"registers": "assessing", "public_notice": "public_notice"}

# A claim's status only rises: facts come from two topics, whose order between them is not given.
_CLAIM_RANK: Final = {"submitted": 0, "verifying": 1, "payable": 2, "paid": 3, "rejected": 4, "withdrawn": 4}


def status_of(application: Application) -> str:
    """Return the status that all facts heard so far amount to, in whatever order they came."""
    progress, decision = application.progress, application.decision
    if "withdrawn_at" in progress:
        return "withdrawn"
    if "lapsed_at" in progress:
        return "lapsed"
    if application.submitted_at is None:
        return "draft"
    if application.award is not None:
        return "awarded"
    if "refused" in progress:
        return "rejected"
    if decision and decision["outcome"] == "rejected":
        return "in_review" if is_open(progress.get("appeal"), "decided_at") else "rejected"
    if "waitlisted" in progress:
        return "waitlisted"
    if decision is not None:
        return "approved"
    if "appeal" in progress:  # it was upheld
        return "assessing"
    if is_open(progress.get("clarification"), "answered_at"):
        return "clarifying"
    if "review" in progress:
        return _REVIEWED_BY.get(progress["review"]["holder"], "in_review")
    return "submitted"


def is_open(step: Mapping[str, Any] | None, end: str) -> bool:
    """Return whether a step that takes two was begun, and its ``end`` has not come."""
    return step is not None and end not in step


def claim_status(before: str, heard: str) -> str:
    """Return the later of two statuses of a claim."""
    return heard if _CLAIM_RANK[heard] > _CLAIM_RANK[before] else before


def has_ended(award_status: str) -> bool:
    """Return whether an award with this status holds nothing any more, whatever comes back to it."""
    return award_status not in ("active", "exhausted")


def award_status(before: str, rest: int) -> str:
    """Return the status of an award that now holds ``rest`` fen; one that has ended stays as it is."""
    if has_ended(before):
        return before
    return "active" if rest else "exhausted"


def current_policy(policies: list[Policy], now: datetime) -> Policy | None:
    """Return the policy in force, by the date where the programme is: of those in effect, the one that came last."""
    in_effect = [
        policy for policy in policies if policy.effective_from <= local_date(now, policy) <= policy.effective_until
    ]
    return max(in_effect, key=lambda policy: (policy.effective_from, policy.version), default=None)


def local_date(moment: datetime, policy: Policy) -> date:
    return moment.astimezone(ZoneInfo(policy.timezone)).date()


def check_submittable(policy: Policy, body: dict[str, Any], now: datetime) -> None:
    """Raise a Refusal that names the field and the cure, unless the application may be submitted at ``now``."""
    if not policy.open_at(now):
        raise Refusal(
            "window_closed",
            f"{policy.title.zh}当前不在申报期内。申报期见 GET /v1/schemes/{policy.scheme}。",
            f"{policy.title.en} takes no applications now. Its window: GET /v1/schemes/{policy.scheme}.",
            pointer="/scheme",
        )
    today = local_date(now, policy)
    applicant, contract = body["applicant"], body["request"].get("contract")
    if applicant["district"] not in policy.districts:
        names = ", ".join(policy.districts)
        raise _invalid("/applicant/district", "unknown_district", f"须为以下之一：{names}", f"must be one of {names}")
    if date.fromisoformat(applicant["registered_on"]) > today:
        raise _invalid("/applicant/registered_on", "date_in_future", "不得晚于今天", "must not be later than today")
    if contract is None and policy.contract == "required":
        raise _invalid("/request/contract", "contract_missing", "须填写合同信息", "a signed contract is needed")
    if body["request"].get("money") is None and policy.pool is not None:
        raise _invalid("/request/money", "money_missing", "须填写申请金额", "this scheme asks for an amount of money")
    if contract is not None and date.fromisoformat(contract["signed_on"]) > today:
        raise _invalid("/request/contract/signed_on", "date_in_future", "不得晚于今天", "must not be later than today")


def check_withdrawable(application: Application) -> None:
    """Raise a Refusal unless the application can still be withdrawn."""
    if application.status not in WITHDRAWABLE:
        raise wrong_state(application, "撤回", "withdrawn", sorted(WITHDRAWABLE))


def check_claimable(application: Application, policy: Policy, body: dict[str, Any], now: datetime) -> None:
    """Raise a Refusal unless a claim may be made against the application's award now."""
    award = application.award
    if award is None or application.status != "awarded" or award["status"] in ("revoked", "closed"):
        raise Refusal(
            "award_not_active", "该支持已失效，不能申领。", "The award has ended: nothing can be claimed from it."
        )
    if award["status"] == "expired" or now >= datetime.fromisoformat(award["valid_until"]):
        raise Refusal("award_expired", "该支持已过有效期。", f"The award was valid until {award['valid_until']}.")
    if award["rest"] == 0:
        raise Refusal("award_exhausted", "该支持额度已全部用完。", "The award is used up: its rest is 0.")
    if policy.claims.usage_required and body["usage"] is None:
        raise _invalid("/usage", "usage_missing", "须填写使用期间", "this scheme asks for the period of use")
    if policy.claims.statement != "none" and (body["usage"] is None or body["usage"]["statement"] is None):
        raise _invalid(
            "/usage/statement", "statement_missing", "须上传服务方的使用证明", "upload the provider's statement of use"
        )
    _check_counted(application, policy, body)
    today = local_date(now, policy)
    for position, invoice in enumerate(body["invoices"]):
        if date.fromisoformat(invoice["issued_on"]) > today:
            pointer = f"/invoices/{position}/issued_on"
            raise _invalid(pointer, "date_in_future", "不得晚于今天", "must not be later than today")


def _check_counted(application: Application, policy: Policy, body: dict[str, Any]) -> None:
    """Raise a Refusal unless the claim names what the policy counts."""
    claims, named = policy.claims, body["milestone"]
    match claims.basis:
        case "invoices":
            if not body["invoices"]:
                raise _invalid("/invoices", "invoices_missing", "须至少有一张发票", "at least one invoice is needed")
        case "milestones":
            stated = application.body["request"]["details"].get("milestones")
            ids = [str(one.get("id")) for one in stated if isinstance(one, dict)] if isinstance(stated, list) else []
            _check_named(named, ids)
        case "parts":
            _check_named(named, [part.id for part in claims.parts])
            part = next(part for part in claims.parts if part.id == named)
            if part.monthly and body["usage"] is None:
                raise _invalid("/usage", "usage_missing", "按月申领须填写所属月份的期间", "name the month's period")
        case "calls":
            money = body["details"].get("money")
            if not isinstance(money, dict) or not isinstance(money.get("amount"), int) or money["amount"] <= 0:
                raise _invalid("/details/money", "money_missing", "须填写申请拨付的金额", "name the sum that is called")


def check_statement(policy: Policy, contract: dict[str, Any] | None, confirmed_by: str | None) -> None:
    """Raise a Refusal unless the contract's provider stands behind the statement of use, where the policy wants it."""
    if policy.claims.statement == "confirmed" and (contract is None or confirmed_by != contract["provider"]):
        raise _invalid(
            "/usage/statement",
            "statement_not_confirmed",
            "须由合同服务方确认该使用证明",
            "the contract's provider has to confirm it: POST /v1/documents/{document_id}/confirmation",
        )


def _check_named(named: str | None, ids: list[str]) -> None:
    if named not in ids:
        names = ", ".join(ids)
        raise _invalid("/milestone", "unknown_milestone", f"须为以下之一：{names}", f"must be one of {names}")


def invoice_already_claimed(position: int, number: str) -> Refusal:
    """Return the refusal for an invoice that counts in another claim (domain.md, rule 4)."""
    return Refusal(
        "invoice_already_claimed",
        f"发票 {number} 已用于其他申领，每张发票只能使用一次。",
        f"The invoice {number} counts in another claim; an invoice counts once. Take it out.",
        pointer=f"/invoices/{position}",
    )


def wrong_state(application: Application, done_zh: str, done_en: str, allowed: list[str]) -> Refusal:
    """Return the refusal for a step that the life cycle does not have from here."""
    return Refusal(
        "wrong_state",
        f"申请当前状态为 {application.status}，不能{done_zh}。",
        f"The application is {application.status}; it can be {done_en} while {', '.join(allowed)}.",
    )


def not_found(kind: str, identifier: object) -> Refusal:
    return Refusal(f"{kind}_not_found", f"未找到 {identifier}。", f"There is no {kind} {identifier}.", status=404)


def unknown_scheme(scheme: str, known: list[str]) -> Refusal:
    names = ", ".join(sorted(known)) or "-"
    return Refusal(
        "unknown_scheme",
        f"没有名为 {scheme} 的项目。现有：{names}",
        f"There is no scheme {scheme!r} in effect. There are: {names}.",
        status=422,
        pointer="/scheme",
    )


def unknown_document(pointer: str, identifier: object) -> Refusal:
    return Refusal(
        "unknown_document",
        f"未找到材料 {identifier}。",
        f"There is no document {identifier}. Upload it first, then name its document_id here.",
        status=422,
        pointer=pointer,
    )


def _invalid(pointer: str, code: str, zh: str, en: str) -> Refusal:
    return Refusal(code, f"{pointer}：{zh}。", f"{pointer}: {en}.", status=422, pointer=pointer)
