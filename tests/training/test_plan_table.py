"""A plan as a table, and back."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from embedder import schemas
from embedder.training import plan_table
from embedder.training.plans import Rows
from tests.training.test_plans import planned, whole

SHAPES = st.lists(st.tuples(st.integers(1, 20), st.integers(0, 4)), min_size=1, max_size=4)


@settings(max_examples=40, deadline=None)
@given(SHAPES, st.integers(1, 9), st.booleans(), st.integers(0, 5))
def test_a_plan_is_written_and_read_back(
    shapes: list[tuple[int, int]],
    steps: int,
    homogeneous: bool,  # noqa: FBT001 - pytest hands it over
    wanted: int,
) -> None:
    """What is read back is the plan that was written: steps, parts, rows, epochs and negatives."""
    sets = {
        f"d{number}": Rows(1.0 + number, np.arange(rows), np.arange(rows) % (stored + 1), 4)
        for number, (rows, stored) in enumerate(shapes)
    }
    batches = planned(sets, steps=steps, homogeneous=homogeneous, num_negatives=wanted)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "plan.parquet"
        schemas.write(path, schemas.PLAN, plan_table.table(batches))
        back = plan_table.batches(schemas.read(path, schemas.PLAN))
    assert whole(back) == whole(batches)
    assert [part.negatives.dtype for batch in back for part in batch.parts].count(np.dtype("int32")) == sum(
        len(batch.parts) for batch in back
    )


def test_a_row_of_the_table_says_where_it_is_from() -> None:
    """A line has the step, the place in its batch, the dataset's row and the stored negatives it sees."""
    (batch,) = planned({"rooms": Rows(1.0, np.arange(3), np.array([0, 1, 2]), 4)}, steps=1)
    lines = plan_table.table([batch]).to_pylist()
    assert [(line["step"], line["place"], line["dataset"], line["epoch"]) for line in lines] == [
        (0, place, "rooms", 0) for place in range(3)
    ]
    assert {line["row"]: line["negatives"] for line in lines} == {0: [], 1: [0], 2: [0, 1]}
