"""The keys under ``tls:``, of the public listener and of an upstream."""

from pydantic import Field, model_validator

from gateway.config.addresses import ServerName
from gateway.config.fields import Text, Truth, refusal
from gateway.config.section import Section
from gateway.policy.model import UpstreamTls


class TlsSettings(Section):
    """What the public listener proves itself with."""

    certificate: Text = Field(
        description="File of the certificate in PEM, with those between it and its root behind it."
    )
    key: Text = Field(description="File of its private key in PEM, without a passphrase.")


class UpstreamTlsSettings(Section):
    """How https endpoints are known, and what the gateway proves itself with to them."""

    ca: Text | None = Field(
        default=None,
        description="File of the CAs in PEM that alone are trusted; without it, the system's are.",
    )
    certificate: Text | None = Field(
        default=None, description="File of the gateway's own certificate, for services that ask."
    )
    key: Text | None = Field(
        default=None, description="File of its private key in PEM, without a passphrase."
    )
    server_name: ServerName | None = Field(
        default=None,
        description="The name that is asked for and must stand in the certificate, if not the "
        "host of the endpoint.",
    )
    verify: Truth = Field(
        default=True, description="false takes any certificate, so that anyone can be the service."
    )

    def compile(self) -> UpstreamTls:
        """Return what the data plane needs of it."""
        return UpstreamTls(
            ca=self.ca or "",
            certificate=self.certificate or "",
            key=self.key or "",
            server_name=self.server_name or "",
            verify=self.verify,
        )

    @model_validator(mode="after")
    def _check_parts(self) -> "UpstreamTlsSettings":
        if self.certificate is None and self.key is not None:
            raise refusal("there is no certificate for this key", "add 'certificate'", "key")
        if self.key is None and self.certificate is not None:
            raise refusal("there is no key for this certificate", "add 'key'", "certificate")
        if self.ca is not None and not self.verify:
            raise refusal(
                "with 'verify: false' nobody looks at the CAs", "remove 'verify', or 'ca'", "verify"
            )
        return self
