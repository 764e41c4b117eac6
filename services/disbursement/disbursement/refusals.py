"""The refusals of finance's commands that several of them give, each with what to do."""

from contracts.refusal import Refusal


def not_found(kind: str, identifier: object) -> Refusal:
    return Refusal(f"{kind}_not_found", f"未找到 {identifier}。", f"There is no {kind} {identifier}.", status=404)


def wrong_state(kind: str, status: str, allowed: str) -> Refusal:
    """Return the refusal for a step that the life cycle does not have from here."""
    return Refusal(
        "wrong_state",
        f"当前状态为 {status}，此操作仅适用于：{allowed}。",
        f"The {kind} is {status}; this can be done while it is {allowed}.",
    )


def too_much(pointer: str, most: int, what_zh: str, what_en: str) -> Refusal:
    """Return the refusal for an amount above what there is; ``most`` in fen."""
    return Refusal(
        "amount_too_large",
        f"{pointer}：{what_zh}，最多 {most} 分。",
        f"{pointer}: {what_en}: at most {most} fen.",
        status=422,
        pointer=pointer,
    )
