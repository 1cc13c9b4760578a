"""A plan as a table, one line a row of a batch, and back."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from embedder import schemas
from embedder.training.numbered import starts
from embedder.training.plans import Batch, Part


def table(batches: Sequence[Batch]) -> pa.Table:
    """Lay a plan out as a table of schema PLAN."""
    parts = [part for batch in batches for part in batch.parts]
    lengths = [len(part.rows) for part in parts]
    sizes = [sum(len(part.rows) for part in batch.parts) for batch in batches]
    names, name_of = np.unique([part.dataset for part in parts], return_inverse=True)
    drawn = [(part.negatives >= 0).sum(axis=1) for part in parts]
    columns = {
        "step": np.repeat([batch.step for batch in batches], sizes),
        "place": np.concatenate([np.arange(size) for size in sizes]),
        "dataset": pa.DictionaryArray.from_arrays(pa.array(np.repeat(name_of, lengths)), pa.array(names, pa.string())),
        "epoch": np.repeat([part.epoch for part in parts], lengths),
        "row": np.concatenate([part.rows for part in parts]),
        "negatives": pa.ListArray.from_arrays(
            pa.array(starts(np.concatenate(drawn)), pa.int32()),
            pa.array(np.concatenate([part.negatives[part.negatives >= 0] for part in parts]), pa.int32()),
        ),
    }
    return schemas.build(schemas.PLAN, columns)


def batches(plan: pa.Table) -> list[Batch]:
    """Return the plan that `table` laid out."""
    steps, firsts = np.unique(plan["step"].to_numpy(), return_index=True)
    parts = list(_parts(plan))
    edges = np.searchsorted(starts([len(part.rows) for part in parts]), [*firsts, plan.num_rows])
    return [
        Batch(int(step), tuple(parts[edges[place] : edges[place + 1]])) for place, step in enumerate(steps.tolist())
    ]


def _parts(plan: pa.Table) -> Iterator[Part]:
    """Yield the parts of all batches: a part ends where step, dataset or epoch change."""
    dataset = plan["dataset"].combine_chunks().dictionary_encode()
    names = dataset.dictionary.to_pylist()
    step, epoch = plan["step"].to_numpy(), plan["epoch"].to_numpy()
    of_part = np.stack([step, dataset.indices.to_numpy(), epoch], axis=1)
    first = np.flatnonzero((np.diff(of_part, axis=0, prepend=-1) != 0).any(axis=1))
    rows, drawn = plan["row"].to_numpy(), plan["negatives"].combine_chunks()
    values, offsets = drawn.values.to_numpy(), drawn.offsets.to_numpy()
    for start, end in zip(first, [*first[1:], len(rows)], strict=True):
        counts = np.diff(offsets[start : end + 1])
        negatives = np.full((len(counts), counts.max()), -1, dtype=np.int32)
        negatives[np.arange(counts.max()) < counts[:, None]] = values[offsets[start] : offsets[end]]
        yield Part(names[of_part[start, 1]], int(epoch[start]), rows[start:end], negatives)
