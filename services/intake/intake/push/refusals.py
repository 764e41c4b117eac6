"""What is refused of webhooks, and what to do about it."""

from contracts.refusal import Refusal


def too_many_webhooks(most: int) -> Refusal:
    return Refusal(
        "too_many_webhooks",
        f"每个客户端最多 {most} 个 webhook。请删除不用的，或用一个 webhook 接收多种事件。",
        f"A client has {most} webhooks at most. Delete one that is not needed, or let one take several types.",
    )


def webhook_disabled() -> Refusal:
    return Refusal(
        "webhook_disabled",
        '该 webhook 已停用。请先启用：PATCH，{"enabled": true}。',
        'This webhook is disabled. Enable it first: PATCH with {"enabled": true}.',
    )


def address_refused(why: str) -> Refusal:
    return Refusal(
        "webhook_address_refused",
        "该地址不可用作 webhook：须为 https，且其域名的全部地址均为公网地址。",
        f"No webhook may lead there: {why}. Give an https URL whose name stands for public addresses only.",
        status=422,
        pointer="/url",
    )


def host_unknown() -> Refusal:
    return Refusal(
        "webhook_host_unknown",
        "无法解析该地址的域名。请检查拼写，或在域名生效后重试。",
        "The name in this URL can't be resolved. Check its spelling, or try again when the name is known.",
        status=422,
        pointer="/url",
    )


def stale(version: int) -> Refusal:
    return Refusal(
        "stale",
        f"该 webhook 已被修改（当前版本 {version}）。请重新读取后再改。",
        f"The webhook has changed since (it is at {version}). Read it again, then change it.",
        status=412,
    )
