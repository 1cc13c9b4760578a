"""Tests of embedder.seeds."""

from embedder.seeds import rng


def test_a_generator_depends_on_seed_and_names_alone() -> None:
    """The same seed and names draw the same; names are not run together."""
    assert rng(1, "a", "b").integers(1 << 40) == rng(1, "a", "b").integers(1 << 40)
    assert rng(1, "ab").integers(1 << 40) != rng(1, "a", "b").integers(1 << 40)
    assert rng(2, "a", "b").integers(1 << 40) != rng(1, "a", "b").integers(1 << 40)
