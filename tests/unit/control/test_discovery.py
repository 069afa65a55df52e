"""What programs ask of the gateway itself."""

from tests.unit.control.asking import Control


def test_the_metadata_says_where_things_are(control: Control) -> None:
    """RFC 8414 section 2: below the issuer, and no grant that is not spoken."""
    response = control.ask("GET", "/.well-known/oauth-authorization-server")

    assert response.json() == {
        "issuer": "https://gw.test",
        "jwks_uri": "https://gw.test/.well-known/jwks.json",
        "introspection_endpoint": "https://gw.test/introspect",
        "introspection_endpoint_auth_methods_supported": ["bearer"],
        "response_types_supported": [],
        "grant_types_supported": [],
    }
