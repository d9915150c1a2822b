"""Section Api: who may use the HTTP API, and how much."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Final, Literal

from pydantic import field_validator

from scheduler.config.fields import (
    DAY,
    ORIGIN,
    RATE,
    RATE_ACCEPTED,
    YEARS,
    Section,
    commas,
    number,
    text,
    token_list,
    whole,
)

_PRINTABLE: Final = r"[!-+\--~]+"


class ApiSettings(Section):
    auth_token: str = text(
        "",
        rf"^({_PRINTABLE}(,{_PRINTABLE})*)?$",
        "printable ASCII characters without spaces and commas; several as a list or separated by commas",
        secret=True,
    )
    """Token that requests must have as `Authorization`. Several may be set, and each is accepted, so that one can be
    replaced while clients still use another. Empty for none."""
    max_body_bytes: int = whole(2**20, 1, 2**30)
    """Largest body of a request."""
    idempotency_seconds: float = number(DAY, 1, YEARS)
    """How long an `Idempotency-Key` is remembered."""
    rate_limit: str = text("", RATE, RATE_ACCEPTED)
    """Writing requests (all but GET) that one client may send. A client is an address, and where tokens are set an
    address with a token. A client beyond the limit gets 429."""
    trusted_proxies: str = text(
        "",
        r"^([0-9A-Fa-f:./]+(,[0-9A-Fa-f:./]+)*)?$",
        "addresses and networks like 10.0.0.0/8, several as a list or separated by commas",
    )
    """Proxies whose `X-Forwarded-For` is believed when clients are counted. Empty: none, and a client's address is that
    of its connection."""
    cors_origins: str = text(
        "",
        rf"(?i)^({ORIGIN}(,{ORIGIN})*|\*)?$",
        "origins like https://ops.example.com:8443, several as a list or separated by commas; or * for every one",
    )
    """Origins of other sites whose pages may use this API. Empty: none."""

    echo_answers: Literal["json", "text"] = "json"
    """Form of the answers of `/echoAtTime` to clients that do not choose one: JSON, or plain text as one of the systems
    before this one answered. A client chooses with `Accept: application/json` or `Accept: text/plain`."""

    @field_validator("cors_origins", "trusted_proxies", mode="before")
    @classmethod
    def _one_text(cls, value: object) -> object:
        return commas(value)

    @field_validator("auth_token", mode="before")
    @classmethod
    def _one_text_of_tokens(cls, value: object) -> object:
        return token_list(value)

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: str) -> str:
        for network in value.split(",") if value else ():
            ip_network(network, strict=False)
        return value

    @property
    def tokens(self) -> list[str]:
        return self.auth_token.split(",") if self.auth_token else []
