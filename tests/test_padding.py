"""How token ids are laid out."""

from types import SimpleNamespace
from typing import Any

import torch
from hypothesis import given
from hypothesis import strategies as st

from embedder import padding

LENGTHS = st.lists(st.integers(0, 50), min_size=1, max_size=40)


def _model(limit: int | None = None) -> Any:  # noqa: ANN401 - a stand-in
    return SimpleNamespace(tokenizer=SimpleNamespace(pad_token_id=7), max_seq_length=limit)


@given(LENGTHS, st.integers(1, 200))
def test_a_batch_has_one_width_and_keeps_the_budget(lengths: list[int], budget: int) -> None:
    """Every text is in one batch, all of a batch have one padded width, and several together keep the budget."""
    layout = padding.OneWidth(_model())
    batches = list(layout.batches([[1] * length for length in lengths], budget))
    assert sorted(place for places, _ in batches for place in places) == list(range(len(lengths)))
    for places, ids in batches:
        assert [len(one) for one in ids] == [lengths[place] for place in places]
        (width,) = {layout.width(len(one)) for one in ids}
        assert len(ids) == 1 or width * len(ids) <= budget


@given(LENGTHS, st.integers(1, 200))
def test_flat_batches_keep_order_and_budget(lengths: list[int], budget: int) -> None:
    """Without padding texts stay in order, and several together keep the budget."""
    model: Any = [SimpleNamespace()]
    batches = list(padding.Flat(model).batches([[1] * length for length in lengths], budget))
    assert [place for places, _ in batches for place in places] == list(range(len(lengths)))
    assert all(len(ids) == 1 or sum(map(len, ids)) <= budget for _, ids in batches)


def test_a_width_is_a_multiple_of_8_within_the_models_limit() -> None:
    """Texts are padded to the next multiple of 8, but no further than the model reads."""
    layout = padding.OneWidth(_model(30))
    assert [layout.width(count) for count in (0, 1, 8, 9, 25, 30)] == [8, 8, 8, 16, 30, 30]


def test_padding_stands_on_the_right_under_no_mask() -> None:
    """Ids come first, then the tokenizer's padding, which the mask leaves out."""
    found = padding.OneWidth(_model(6)).features([[1, 2], [3]])
    assert found["input_ids"].tolist() == [[1, 2, 7, 7, 7, 7], [3, 7, 7, 7, 7, 7]]
    assert found["attention_mask"].tolist() == [[1, 1, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0]]


def test_flat_features_are_the_librarys() -> None:
    """One row of all texts, positions that start anew, from where the model's positions start."""
    from transformers import DataCollatorWithFlattening

    make: Any = DataCollatorWithFlattening
    collator = make(return_flash_attn_kwargs=True, return_seq_idx=True)
    transformer = SimpleNamespace(data_collator=collator, _flatten_position_offset=2, can_flatten_inputs=True)
    model: Any = [transformer]
    layout = padding.of(model)
    assert isinstance(layout, padding.Flat)
    found = layout.features([(5, 6, 7), (8,)])
    assert found["input_ids"].tolist() == [[5, 6, 7, 8]]
    assert found["position_ids"].tolist() == [[2, 3, 4, 2]]
    assert torch.equal(found["cu_seq_lens_q"], torch.tensor([0, 3, 4], dtype=torch.int32))
    assert "labels" not in found
