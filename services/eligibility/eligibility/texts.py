"""What applicants are told, in Simplified Chinese and English; a policy document brings its criteria's own words.

A condition's clause is the field of the policy document, or of what was submitted, that it comes from.
"""

from typing import Final

from contracts.common import Reason, Text
from contracts.money import yuan

_CONDITIONS: Final[dict[str, tuple[str, Text, Text]]] = {
    "window-open": (
        "windows",
        Text("申请在受理期内提交。", "The application was submitted while the window was open."),
        Text("申请不在受理期内提交。", "The application was submitted outside of the window."),
    ),
    "policy-effective": (
        "effective_from",
        Text("提交时政策有效。", "The policy was in force at submission."),
        Text("提交时政策未生效或已失效。", "The policy was not in force at submission."),
    ),
    "district-listed": (
        "districts",
        Text("企业所在区属于支持范围。", "The company's district is covered."),
        Text("企业所在区不在支持范围内。", "The company's district is not covered."),
    ),
    "amount-payable": (
        "rate",
        Text("申请金额可计算出支持金额。", "The amount asked for gives an amount to support."),
        Text(
            "申请金额过小，按比例计算后不足一分。", "The amount asked for is too small: its share is less than one fen."
        ),
    ),
    "contract-given": (
        "claims.seller_is_provider",
        Text("已提供合同信息。", "The contract is given."),
        Text("未提供合同信息。", "The application names no contract."),
    ),
    "tier": (
        "tiers",
        Text("适用某一支持档次。", "One of the levels of support applies."),
        Text("不符合任何支持档次的条件。", "None of the levels of support applies."),
    ),
    "other-support-readable": (
        "stack_limit",
        Text("已说明该合同的其他财政支持。", "Other public support for the contract is stated."),
        Text(
            'details.other_public_support 须为金额，如 {"amount": 0, "currency": "CNY"}。',
            'details.other_public_support has to be money, such as {"amount": 0, "currency": "CNY"}.',
        ),
    ),
    "contract-already-supported": (
        "contract",
        Text("该合同未获本项目其他支持。", "The contract has no other support under this scheme."),
        Text(
            "该合同已在本项目下获得支持，同一合同只支持一次。",
            "This contract is already supported under this scheme; a contract counts once.",
        ),
    ),
    "application-approved": (
        "claims",
        Text("申请已获批准。", "The application was approved."),
        Text("该申请未获批准或已撤回。", "The application was not approved, or was withdrawn."),
    ),
    "usage-stated": (
        "claims.usage_required",
        Text("已说明使用期间。", "The period of use is stated."),
        Text("未说明使用期间。", "The period of use is not stated."),
    ),
    "milestone-known": (
        "claims.basis",
        Text("申领的节点或项目已在批准的申请中列明。", "What is claimed is named in what was approved."),
        Text(
            "milestone 不是批准的申请或政策中列明的节点或项目。",
            "`milestone` is none that the approved application or the policy names.",
        ),
    ),
    "item-not-claimed": (
        "claims.basis",
        Text("该节点、项目或月份尚未申领。", "It has not been claimed before."),
        Text("该节点、项目或月份已申领，只能申领一次。", "It has counted in another claim; it counts once."),
    ),
    "usage-one-month": (
        "claims.parts",
        Text("申领期间在同一自然月内。", "The period lies within one calendar month."),
        Text("按月申领：usage 须在同一自然月内。", "It is claimed by the month: `usage` has to lie within one."),
    ),
    "month-supported": (
        "claims.parts",
        Text("该月在支持期内且已开始。", "The month is one of those supported, and has begun."),
        Text("该月不在支持期内或尚未开始。", "The month is none of those supported, or has not begun."),
    ),
    "resident": (
        "claims.parts",
        Text("所在社区为认定的OPC社区。", "The community is accredited."),
        Text("所在社区不是（或不再是）认定的OPC社区。", "The community is not, or no longer, accredited."),
    ),
    "sum-named": (
        "claims.basis",
        Text("已写明申请拨付的金额。", "The sum that is called is named."),
        Text("details.money 须为大于零的金额。", "details.money has to be an amount above zero."),
    ),
    "usage-within-period": (
        "claims.usage_required",
        Text("使用期间在支持期内。", "The period of use lies within the supported period."),
        Text("使用期间不在支持期内。", "The period of use does not lie within the supported period."),
    ),
}

_INVOICE_FAULTS: Final[dict[str, tuple[str, str, str]]] = {
    "invoice_already_claimed": (
        "invoices",
        "发票{}已在其他报销中使用。",
        "Invoice {} has counted in another claim.",
    ),
    "invoice-repeated": (
        "invoices",
        "发票{}在本次报销中重复。",
        "Invoice {} is in this claim more than once.",
    ),
    "invoice-within-period": (
        "contract",
        "发票{}开具日期不在支持期内，已扣除。",
        "Invoice {} was issued outside of the supported period: taken off.",
    ),
    "invoice-from-provider": (
        "claims.seller_is_provider",
        "发票{}的销售方不是合同服务方，已扣除。",
        "Invoice {} is not from the contract's provider: taken off.",
    ),
    "invoice-tax-plausible": (
        "claims.deduct_tax",
        "发票{}税额大于金额，已扣除。",
        "Invoice {} has more tax than amount: taken off.",
    ),
}

UNKNOWN: Final = Text("暂时无法核实，等待查询结果。", "It can't be verified right now; it waits for the answer.")
CAP_GROUP_UNKNOWN: Final = Text(
    "暂时无法查询关联企业，无法确定额度归属。",
    "The related companies can't be looked up right now, so whose cap applies is not known.",
)
REVIEWED: Final = Text("已通过人工审核。", "The persons who review it approved it.")
SHOWN_IN_PUBLIC: Final = Text("公示期满。", "It was shown in public for as long as it has to be.")
WAITING_FOR_REVIEW: Final = Text("申请符合全部条件，等待人工审核。", "It meets every criterion; persons review it now.")
WAITING_FOR_NOTICE: Final = Text("审核通过，公示中。", "It was approved, and is shown in public first.")
WAITING_FOR_PANEL: Final = Text(
    "申请符合全部条件，等待专家评分和排序。",
    "It meets every criterion; a panel scores and ranks it after the call has closed.",
)
MISSED_CALL: Final = Text(
    "该轮已完成排序，申请在排序后才送达，等待工作人员处理。",
    "It reached the programme after its call was ranked; an officer sees to it.",
)
BELOW_LINE: Final = Text("该轮预算已用于排名更前的申请。", "The call's budget went to those before it.")
BELOW_THRESHOLD: Final = Text("平均分未达到最低要求。", "Its average is below the least that is funded.")
DECIDED_ANEW: Final = Text("原决定已重新审核。", "What was decided was decided anew.")
WAITING_FOR_OFFICER: Final = Text(
    "有条件无法自动判断，等待工作人员审核。",
    "A condition can't be judged automatically; an officer will look.",
)
ESCALATED_TO_OFFICER: Final = Text(
    "外部登记系统长时间无法查询，已转工作人员跟进；恢复后自动继续，无需您操作。",
    "Outside registers have been out of reach for too long; an officer has been asked to see to it. "
    "It goes on by itself when they answer; you need not do anything.",
)

_REGISTER_NAMES: Final = {
    "business_registration": Text("商事登记", "business registration"),
    "credit_record": Text("信用记录", "credit records"),
    "related_companies": Text("关联企业", "related companies"),
    "provider": Text("服务商名录", "listed providers"),
}


def condition(code: str, *, holds: bool) -> Reason:
    """Return the reason for a condition that every scheme has."""
    clause, met, not_met = _CONDITIONS[code]
    return Reason(code, clause, "met" if holds else "not_met", met if holds else not_met)


def invoice_fault(code: str, number: str) -> Reason:
    """Return what is wrong with one invoice."""
    clause, zh, en = _INVOICE_FAULTS[code]
    return Reason(code, clause, "not_met", Text(zh.format(number), en.format(number)))


def eligible_amount(amount: int, *, holds: bool) -> Reason:
    """Return the sum that a claim came to; it fails when nothing is left of it."""
    words = Text(f"核定费用{yuan(amount)}元。", f"Eligible expense: CNY {yuan(amount)}.")
    return Reason("eligible-amount", "claims", "met" if holds else "not_met", words)


def waiting_for_registers(missing: list[str]) -> Text:
    """Say which outside registers an application waits for."""
    names = [_REGISTER_NAMES[name] for name in missing]
    return Text(
        f"外部登记系统暂时无法查询（{'、'.join(name.zh for name in names)}），恢复后自动继续，无需您操作。",
        f"Outside registers can't be reached ({', '.join(name.en for name in names)}). "
        "It goes on by itself when they can; you need not do anything.",
    )
