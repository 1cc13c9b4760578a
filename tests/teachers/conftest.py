"""The kind `table`, registered for the tests of teachers that ask others."""

from collections.abc import Iterator

import pytest

from embedder.teachers import TEACHERS


@pytest.fixture
def table_kind() -> Iterator[None]:
    """Register the teacher of tests.teachers.fakes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TEACHERS, "table", "tests.teachers.fakes")
        yield
