"""The section ``Webhook`` of the settings."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from scheduler.channels.webhook.signing import Signer
from scheduler.channels.webhook.ssrf import AddressPolicy


class WebhookSettings(BaseModel):
    """How webhooks are sent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    timeout_seconds: Annotated[float, Field(ge=0.1, le=3600)] = 30.0
    """For a whole attempt, unless the message says otherwise."""
    connect_timeout_seconds: Annotated[float, Field(ge=0.1, le=300)] = 10.0
    """For the name's resolution, and again for the connection with its TLS handshake."""
    max_in_flight: Annotated[int, Field(ge=1, le=50_000)] = 1000
    """Messages that the channel of one process holds at once, those waiting for their destination included."""
    max_in_flight_per_host: Annotated[int, Field(ge=1, le=50_000)] = 100
    """Transfers at once to one destination: scheme, host and port."""
    secrets: list[SecretStr] = []
    """``whsec_<base64 of 24 to 64 bytes>``; every request is signed with each.  None: requests are not signed."""
    send_api_token: bool = False
    """Send ``Api.AuthToken`` as ``Authorization`` to every target.  Only for targets that are all your own."""
    allow_private_networks: bool = False
    """Targets in private, loopback and shared (carrier-grade NAT) networks are allowed."""
    allowed_networks: list[str] = []
    """Host names, addresses and CIDR networks that are always allowed."""
    client_errors_final: bool = False
    """4xx other than 429 makes a dead letter at once."""
    retry_after_cap_seconds: Annotated[float, Field(ge=0)] = 3600.0
    """A ``Retry-After`` is followed up to here."""

    @field_validator("secrets")
    @classmethod
    def _decodable(cls, secrets: list[SecretStr]) -> list[SecretStr]:
        Signer(secret.get_secret_value() for secret in secrets)
        return secrets

    @field_validator("allowed_networks")
    @classmethod
    def _known_forms(cls, allowed: list[str]) -> list[str]:
        AddressPolicy.of(allowed=allowed)
        return allowed

    def policy(self) -> AddressPolicy:
        return AddressPolicy.of(allow_private=self.allow_private_networks, allowed=self.allowed_networks)

    def signer(self) -> Signer:
        return Signer(secret.get_secret_value() for secret in self.secrets)
