"""The bodies of webhooks: shapes and limits of single fields."""

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints, TypeAdapter
from pydantic.networks import HttpUrl

from intake.schemas import Body
from kit.fields import Flag
from kit.validation import FieldError

_URL: TypeAdapter[HttpUrl] = TypeAdapter(HttpUrl)


def _checked_url(value: str) -> str:
    """Return the URL in its one spelling. What it may lead to is for ``guard``."""
    url = _URL.validate_python(value)
    if url.username is not None or url.password is not None:
        raise FieldError(
            "不得含用户名和密码；调用以签名为凭", "must hold no user and no password; calls are signed instead"
        )
    if url.fragment is not None:
        raise FieldError("不得含 # 片段", "must hold no fragment")
    return str(url)


Url = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=8, max_length=2000),
    AfterValidator(_checked_url),
    Field(
        description="https URL that takes POST",
        examples=["https://portal.example.gov.cn/drawdown"],
        json_schema_extra={"format": "uri"},
    ),
]
EventType = Annotated[
    str, StringConstraints(pattern=r"^[a-z_]{1,40}\.(\*|[a-z_]{1,40})$"), Field(examples=["award.issued", "claim.*"])
]
EventTypes = Annotated[
    list[EventType], Field(max_length=50, description="types, or families such as `claim.*`; none named is all")
]


class NewWebhook(Body):
    url: Url
    events: EventTypes = Field(default_factory=list)


class ChangedWebhook(Body):
    """What is left out stays as it is."""

    url: Url | None = None
    events: EventTypes | None = None
    enabled: Flag | None = Field(default=None, description="true: call it again, and send what it missed, in order")
    rotate_secret: Flag = Field(default=False, description="answer a new secret; the old one signs too for a day")
    skip_missed: Flag = Field(default=False, description="let go of all that waits for it from before now")
