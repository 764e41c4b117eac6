"""The refusals that officers and policy editors meet, each with the cure."""

from contracts.money import yuan
from contracts.refusal import Refusal
from eligibility.records import Task


def not_found(kind: str, identifier: str) -> Refusal:
    return Refusal(
        f"{kind}_not_found", f"未找到 {kind} {identifier}。", f"There is no {kind} {identifier}.", status=404
    )


def closed(task: Task) -> Refusal:
    return Refusal(
        "task_closed",
        f"该任务已结束（{task.outcome}）。",
        f"The task is closed ({task.outcome}): nothing is left to decide.",
    )


def not_held() -> Refusal:
    return Refusal(
        "task_not_held",
        "请先领取该任务，再作决定。",
        "Nobody holds this task. Claim it first: POST /v1/tasks/{task_id}/claim.",
    )


def held_by_another(task: Task) -> Refusal:
    return Refusal(
        "task_held",
        f"该任务由 {task.holder} 办理中。",
        f"{task.holder} holds this task. It can be decided when they have released it.",
    )


def interested(applicant: str) -> Refusal:
    return Refusal(
        "interest_declared",
        f"您已申报与 {applicant} 有利害关系，不能办理其申请。",
        f"You declared an interest in {applicant}: its applications are for others to decide.",
        status=403,
    )


def voted_before() -> Refusal:
    return Refusal(
        "voted_before",
        "您已对该申请作出决定，须由另一名工作人员作出下一决定。",
        "You have decided on this already. The next decision has to be another person's.",
        status=403,
    )


def not_to_decide() -> Refusal:
    return Refusal(
        "nothing_to_decide",
        "该任务目前无需人工决定（所需信息未到齐，或已有结果）。",
        "Nothing is to be decided here right now: facts are missing, or it has come to a result.",
    )


def decided_before() -> Refusal:
    return Refusal(
        "decided_before",
        "您参与了原决定，该申诉须由其他工作人员办理。",
        "You had a part in the decision. Its appeal has to be decided by somebody else.",
        status=403,
    )


def not_to_waive(codes: list[str]) -> Refusal:
    names = ", ".join(codes)
    return Refusal(
        "appeal_cannot_be_upheld",
        f"以下条件不能由人工豁免：{names}。",
        f"No person can waive {names}: the appeal can only be dismissed, with the reason.",
        status=409,
        pointer="/outcome",
    )


def not_to_ask() -> Refusal:
    return Refusal(
        "nothing_to_ask",
        "该任务不能向申请人提问（仅限审核中的申请）。",
        "The applicant can be asked while the application is being reviewed, and not on this task.",
    )


def not_to_reassess(status: str) -> Refusal:
    return Refusal(
        "nothing_to_reassess",
        f"该申请尚无决定（{status}），不能重新审核。",
        f"It is {status}: only what was decided can be decided anew.",
    )


def not_on_notice() -> Refusal:
    return Refusal(
        "not_on_public_notice",
        "该申请不在公示期内。",
        "The application is not shown in public now: an objection is lodged during its public notice.",
    )


def amount_too_large(computed: int) -> Refusal:
    return Refusal(
        "amount_too_large",
        f"批准金额须大于零且不超过核算金额 {yuan(computed)} 元。",
        f"The amount has to be above zero, and CNY {yuan(computed)} at most, which is what the policy gives.",
        status=422,
        pointer="/amount",
    )


def no_call(scheme: str, version: str) -> Refusal:
    return Refusal(
        "call_not_found",
        f"{scheme} {version} 不是揭榜项目，或未发布。",
        f"There is no ranking call {scheme} {version}: its policy has no `ranking`, or was not published.",
        status=404,
    )


def not_to_score() -> Refusal:
    return Refusal(
        "nothing_to_score",
        "该申请目前无需评分（未满足条件、信息未到齐，或该轮已排序）。",
        "It can't be scored: a criterion is not met, facts are missing, or its call was ranked.",
    )


def score_out_of_scale(scale: int) -> Refusal:
    return Refusal(
        "score_out_of_scale",
        f"评分须为0至{scale}的整数。",
        f"A score is from 0 to {scale}.",
        status=422,
        pointer="/score",
    )


def panel_complete(panel: int) -> Refusal:
    return Refusal(
        "panel_complete",
        f"该申请已有{panel}名专家评分。",
        f"{panel} other persons have scored it, which is the whole panel.",
    )


def call_open(closes_at: str) -> Refusal:
    return Refusal(
        "call_open",
        f"申报于 {closes_at} 截止，之后才能排序。",
        f"The call closes at {closes_at}; it is ranked after that.",
    )


def call_incomplete(waiting: int, scores: int) -> Refusal:
    return Refusal(
        "call_incomplete",
        f"尚有{waiting}个申请等待核实，缺{scores}个评分。",
        f"{waiting} applications still wait for facts, and {scores} scores are missing.",
    )


def draft() -> Refusal:
    return Refusal(
        "policy_is_draft",
        "该文件标注为草稿（status: draft），不能发布。",
        "The document says that it is a draft. To publish it, say status: published.",
        status=422,
        pointer="/status",
    )


def policy_invalid(said: str) -> Refusal:
    return Refusal("policy_invalid", f"政策文件有误：{said}", f"The document is not right: {said}", status=422)


def changed_text(scheme: str, version: str) -> Refusal:
    return Refusal(
        "policy_version_published",
        f"{scheme} {version} 已发布，内容不可更改。请使用新的版本号。",
        f"{scheme} {version} was published with another text, and never changes. Give the change a new version.",
    )
