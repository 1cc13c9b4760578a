"""Vectors that are computed once: stored by the text they are of and by all that changes them."""
