"""The keys under ``admin:``."""

from pydantic import Field, model_validator

from gateway.config.addresses import Address, Listeners
from gateway.config.fields import refusal
from gateway.config.secret_values import AdminToken
from gateway.config.section import Section


class AdminSettings(Section):
    """The listener for those who run the gateway."""

    listen: Listeners = Field(
        default=(Address("127.0.0.1", 8081),),
        description="Where they connect: host:port or [v6]:port, or a list of them.",
        json_schema_extra={"default": "127.0.0.1:8081"},
    )
    token: AdminToken = Field(
        default=None,
        description="The Bearer token that they must show: 32 characters or more; empty is none.",
    )

    @model_validator(mode="after")
    def _check_token(self) -> "AdminSettings":
        for address in self.listen:
            if self.token is None and not address.is_loopback:
                raise refusal(
                    f"others than this host may connect to {address}, and there is no admin token",
                    "add 'token: ${GATEWAY_ADMIN_TOKEN}' and set that, or listen on 127.0.0.1",
                    "listen",
                )
        return self
