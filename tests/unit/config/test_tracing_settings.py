"""The keys under ``tracing:``."""

import pytest

from tests.unit.config.conftest import Complain, Read

URL = "this is not the URL of a collector -> write http://host:4318 or https://host/path"
SHARE = "is not a share -> write a number from 0 to 1 without quotes"
GOOD = "otlp: 'http://127.0.0.1:4318'"

FAULTS = [
    *(
        pytest.param(f"otlp: {text}", f"f:5: tracing.otlp: {URL}", id=text)
        for text in (
            "4318", "''", "localhost:4318", "grpc://hunter2", "'http://'", "'http://:4318'",
            "'http://a:0'", "'http://a:99999'", "'http://a:b'", "'http://a/b c'", "'http://ä'",
            "'http://[::1'",
        )
    ),
    pytest.param(
        "otlp: 'https://u:hunter2@a'",
        "f:5: tracing.otlp: the URL has a user or a password in it -> set "
        "OTEL_EXPORTER_OTLP_HEADERS instead",
        id="password",
    ),
    *(
        pytest.param(
            f"otlp: '{text}'",
            "f:5: tracing.otlp: the URL of a collector has no query and no fragment -> write "
            "http://host:4318 or https://host/path",
            id=text,
        )
        for text in ("http://a?key=hunter2", "http://a/#hunter2", "http://a?")
    ),
    pytest.param(f"{GOOD}, sample: 1.01", f"f:5: tracing.sample: 1.01 {SHARE}", id="above"),
    pytest.param(f"{GOOD}, sample: -1", f"f:5: tracing.sample: -1 {SHARE}", id="below"),
    pytest.param(f"{GOOD}, sample: .nan", f"f:5: tracing.sample: '.nan' {SHARE}", id="nan"),
    pytest.param(f"{GOOD}, sample: true", f"f:5: tracing.sample: true {SHARE}", id="truth"),
    pytest.param(f"{GOOD}, sample: '1'", f"f:5: tracing.sample: '1' {SHARE}", id="quoted"),
    pytest.param(f"{GOOD}, sample: '${{S}}'", f"f:5: tracing.sample: '${{S}}' {SHARE}", id="text"),
    pytest.param(
        "sample: 1", "f:5: tracing: the key 'otlp' is missing -> add 'otlp: ...'", id="no-otlp"
    ),
    pytest.param(
        f"{GOOD}, sampl: 1",
        "f:5: tracing: unknown key 'sampl' -> did you mean 'sample'?",
        id="typo",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), FAULTS)
def test_a_fault_is_named_with_its_place_and_cure(
    text: str, said: str, complain_more: Complain
) -> None:
    """Nothing that may be a password is quoted."""
    complaint = complain_more(f"tracing: {{{text}}}\n", {"S": "hunter2"})

    assert complaint == said
    assert "hunter2" not in complaint


@pytest.mark.parametrize(
    ("text", "share"),
    [("", None), (", sample: 0", 0.0), (", sample: 0.25", 0.25), (", sample: '${S}'", 0.5)],
)
def test_a_share_is_a_number_or_the_environments_affair(
    text: str, share: float | None, read_more: Read
) -> None:
    """A variable may hold it."""
    tracing = read_more(f"tracing: {{{GOOD}{text}}}\n", {"S": "0.5"}).settings.tracing

    assert tracing is not None
    assert tracing.sample == share
    assert tracing.otlp == "http://127.0.0.1:4318"


@pytest.mark.parametrize("whole", [True, False])
def test_tracing_needs_its_packages(
    *, whole: bool, complain_more: Complain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An extra; without it the file is at fault, and the cure says what to install."""

    def find_spec(name: str) -> None:
        if whole:
            raise ModuleNotFoundError(name)

    monkeypatch.setattr("importlib.util.find_spec", find_spec)

    assert complain_more(f"tracing: {{{GOOD}}}\n") == (
        "f:5: tracing.otlp: the packages of OpenTelemetry are not installed -> pip install "
        "'auth-gateway[otel]'"
    )
