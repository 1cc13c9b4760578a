"""Making the next thing while this one is used."""

import pytest

from embedder.ahead import ahead


def test_no_more_than_one_part_is_made_ahead() -> None:
    """Of the parts only the next is made before it is asked for."""
    made: list[int] = []

    def make(part: int) -> int:
        made.append(part)
        return part

    parts = ahead(make, range(9))
    assert [next(parts), next(parts)] == [0, 1]
    assert len(made) <= 3
    assert list(parts) == [2, 3, 4, 5, 6, 7, 8]


def test_an_error_of_the_thread_is_the_callers() -> None:
    """What fails while it is made ahead fails where it is used, after what came before."""
    parts = ahead(lambda part: 1 // part, [1, 0])
    assert next(parts) == 1
    with pytest.raises(ZeroDivisionError):
        next(parts)
