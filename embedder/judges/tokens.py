"""About how many tokens a text has, where no tokenizer is at hand."""

# In UTF-8 a token of English has some four bytes, and a character of scripts with many tokens a text has two or three.
_BYTES_A_TOKEN = 4


def estimated(text: str) -> int:
    """Return about how many tokens a text has."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // _BYTES_A_TOKEN)
