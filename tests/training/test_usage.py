"""What a plan makes of each dataset."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from embedder.training.plans import plan
from embedder.training.shards import TrainingSet
from embedder.training.usage import usage
from tests.training_sets import row, rows, student, training_set


def account(sets: list[TrainingSet], kept: int | None = None, /, **changes: Any) -> dict[str, dict[str, Any]]:  # noqa: ANN401 - values of a recipe
    """Plan by the made-up recipe with changes, and count the first `kept` steps."""
    recipe = student(**changes).recipe
    return usage(sets, [(plan({one.name: one.outline(recipe) for one in sets}, recipe)[:kept], recipe)])


def of_queries(counts: list[int], name: str = "rooms", weight: float = 1.0) -> TrainingSet:
    """Return a dataset of queries that have so many rows each."""
    content = [
        row(query, [60], positive_id=f"p{query:03}-{number}")
        for query, count in enumerate(counts)
        for number in range(count)
    ]
    return training_set(content, name, weight=weight)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.lists(st.integers(1, 4), min_size=1, max_size=9), st.sampled_from([0.0, 1.0, 3.0])), max_size=3
    ),
    st.integers(3, 9),
    st.sampled_from([None, 1, 2]),
    st.booleans(),
    st.integers(0, 9),
)
def test_every_row_is_used_or_has_a_reason(
    shapes: list[tuple[list[int], float]],
    steps: int,
    most: int | None,
    homogeneous: bool,  # noqa: FBT001 - pytest hands it over
    kept: int,
) -> None:
    """Rows are those used and those not used for a reason, whichever part of whatever plan was carried out."""
    sets = [of_queries(counts, f"d{number}", weight) for number, (counts, weight) in enumerate(shapes)]
    found = account(sets, kept, steps=steps, rows_per_query=most, homogeneous=homogeneous, batch_size=4)
    for one in sets:
        said = found[one.name]
        assert said["rows"] == len(one) == said["rows_used"] + sum(said["rows_unused"].values())
        assert said["rows_unused"]["no_weight"] == (0 if one.weight else len(one))
        assert most or not said["rows_unused"]["rows_per_query"]
        assert said["rows_used"] <= said["rows_seen"]
        assert (said["steps"] > 0) == (said["rows_seen"] > 0) == (said["epochs_begun"] > 0)
    if homogeneous:
        assert sum(said["steps"] for said in found.values()) == (min(steps, kept) if any(o.weight for o in sets) else 0)


def test_reasons_are_told_apart() -> None:
    """Rows that the cap left out in every epoch are told from those whose turn did not come."""
    capped = account([of_queries([3, 3])], steps=3, batch_size=4, rows_per_query=1, num_negatives=0)["rooms"]
    assert capped["rows_seen"] == 6
    assert capped["rows_unused"] == {"no_weight": 0, "rows_per_query": 6 - capped["rows_used"], "steps_ended": 0}
    early = account([of_queries([3] * 9)], 1, batch_size=4, rows_per_query=1)["rooms"]
    assert early["rows_unused"] == {"no_weight": 0, "rows_per_query": 18, "steps_ended": 6}
    assert early["rows_used"] == 3


def test_of_averaged_runs_the_rows_of_all_are_counted() -> None:
    """A row is used if any run used it, seen as often as all saw it, and unused for a reason if none did."""
    one = of_queries([3] * 9)
    recipes = [student(steps=2, warmup_steps=0, batch_size=4, rows_per_query=1, seed=seed).recipe for seed in (1, 2)]
    runs = [(plan({one.name: one.outline(recipe)}, recipe), recipe) for recipe in recipes]
    used = [set(np.concatenate([part.rows for batch in batches for part in batch.parts])) for batches, _ in runs]
    found: dict[str, Any] = usage([one], runs)["rooms"]
    assert found["rows_used"] == len(used[0] | used[1]) > max(map(len, used))
    assert (found["steps"], found["rows_seen"]) == (4, sum(map(len, used)))
    assert found["rows_used"] + sum(found["rows_unused"].values()) == len(one) == 27


def test_a_dataset_without_a_step_is_said() -> None:
    """A dataset whose weight is too small for a step has all its rows in the account."""
    found = account([of_queries([1] * 9, "a", 100.0), of_queries([1] * 5, "b", 0.01)])
    assert (found["b"]["steps"], found["b"]["rows_unused"]["steps_ended"]) == (0, 5)


def test_rows_without_negatives_or_scores_are_counted() -> None:
    """Of the rows used, those without stored negatives and those without what is distilled are counted."""
    content = rows(4)
    content[1] = row(1, [])
    content[2] |= {"negative_scores": [0.5, None, 0.5]}
    content[3] |= {"positive_score": None}
    learning = {"losses": {"listwise": 1.0}, "distilled": {"scores": "teacher", "temperature": 1.0}}
    found = account([training_set(content)], **learning)["rooms"]
    assert (found["rows_used"], found["rows_without_negatives"], found["rows_without_scores"]) == (4, 1, 2)
    assert "rows_without_scores" not in account([training_set(content)])["rooms"]


def test_rows_that_the_last_epoch_did_not_reach_are_told() -> None:
    """Where steps end within a later epoch, what that epoch drew and did not reach is for the steps' end."""
    made, changes = of_queries([3] * 9), {"steps": 6, "batch_size": 4, "rows_per_query": 1}
    due, used = (account([made], kept, **changes)["rooms"]["rows_used"] for kept in (6, 4))
    expected = {"no_weight": 0, "rows_per_query": 27 - due, "steps_ended": due - used}
    assert account([made], 4, **changes)["rooms"]["rows_unused"] == expected
    assert due > used > 9
