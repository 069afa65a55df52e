"""The keys under ``tls:``."""

from pydantic import Field

from gateway.config.fields import Text
from gateway.config.section import Section


class TlsSettings(Section):
    """What the public listener proves itself with."""

    certificate: Text = Field(
        description="File of the certificate in PEM, with those between it and its root behind it."
    )
    key: Text = Field(description="File of its private key in PEM, without a passphrase.")
