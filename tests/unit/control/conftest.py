"""The control plane of one gateway, for each test its own."""

from collections.abc import Iterator

import pytest

from tests.unit.control.asking import Control, open_control
from tests.unit.control.asking_admin import Admin, open_admin


@pytest.fixture
def control() -> Iterator[Control]:
    """A control plane with the user aymen and no published key."""
    with open_control() as opened:
        yield opened


@pytest.fixture
def admin() -> Iterator[Admin]:
    """An admin API that asks for its token."""
    with open_admin() as opened:
        yield opened
