"""What a text is called in the store."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from embedder.vectors.keys import text_keys


@given(st.lists(st.text()))
def test_a_key_is_half_a_hash(texts: list[str]) -> None:
    """A key is the first 16 bytes of BLAKE2b of the text's UTF-8, one a text, in order."""
    keys = text_keys(texts)
    assert keys.dtype.str == "|S16"
    assert keys.tobytes() == b"".join(hashlib.blake2b(text.encode()).digest()[:16] for text in texts)


def test_lone_surrogates_have_keys() -> None:
    """Texts that UTF-8 cannot write have keys of their own."""
    assert len(set(text_keys(["\ud800", "\ud801", "?", ""]))) == 4


def test_keys_that_end_in_zero_differ() -> None:
    """Bytes of zero at a key's end, which numpy does not show, still tell keys apart and are stored."""
    texts = [str(number) for number in range(5000)]
    keys = text_keys(texts)
    ending = keys[keys.view("u1").reshape(-1, 16)[:, 15] == 0]
    assert len(ending) > 5
    assert len(set(keys)) == 5000
