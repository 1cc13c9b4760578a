"""Facts about a docstring's parts."""

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedder.loaders.python_env.docstrings import is_template, parse

NUMPYDOC = inspect.cleandoc(
    """
    Compute the mean of an array
    over one axis. It is e.g. fast.

    More about it.

    Parameters
    ----------
    x : array
        The values.

    See Also
    --------
    median, mode : Other means.
    numpy.var : The variance,
        see also this.
    :func:`~scipy.stats.gmean`: Geometric.
    For more see elsewhere.

    Notes
    -----
    The last words.
    """
)


def test_a_docstring_has_three_parts() -> None:
    """Summary is the first sentence though it breaks a line, See Also gives names, the body is all the rest."""
    said = parse(NUMPYDOC, "mean")
    assert said.summary == "Compute the mean of an array over one axis."
    assert said.see_also == ["median", "mode", "numpy.var", "scipy.stats.gmean"]
    assert said.body.startswith("It is e.g. fast.\n\nMore about it.\n\nParameters\n----------\nx : array")
    assert said.body.endswith("Notes\n-----\nThe last words.")


@pytest.mark.parametrize("word", ["See Also", "median", "gmean", "Geometric", "elsewhere"])
def test_see_also_is_cut(word: str) -> None:
    """Nothing of the See Also section is left in the body, for it prints the answers of another task."""
    assert word not in parse(NUMPYDOC, "mean").body


@pytest.mark.parametrize("title", ["See also", "SEE ALSO:", "See-Also"])
def test_see_also_is_cut_however_it_is_written(title: str) -> None:
    """The title's case, colon and hyphen do not matter."""
    said = parse(f"Do a thing.\n\n{title}\n{'=' * len(title)}\nother\n", "do")
    assert (said.body, said.see_also) == ("", ["other"])


def test_the_seealso_directive_is_cut() -> None:
    """Sphinx's directive is cut with its indented lines; what follows stays."""
    said = parse("Do a thing.\n\n.. seealso:: other\n\n   And more of it.\n\nThe rest stays.", "do")
    assert said.body == "The rest stays."


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ("Solve e.g. a system by A. Author et al. (1999). More.", "Solve e.g. a system by A. Author et al. (1999)."),
        ("Is it so? It is.", "Is it so?"),
        ("Version 1.5 of it", "Version 1.5 of it"),
        ("dot(a, b, out=None)\n\nDot product of two arrays. More.", "Dot product of two arrays."),
        ("Make a :class:`~numpy.ndarray` of ``x`` and `y` [1]_.", "Make a ndarray of x and y."),
        ("Call :func:`other` **now**.", "Call other now."),
        ("Read it\n.. versionadded:: 1.0", "Read it"),
        ("Read it\n:param x: a value", "Read it"),
    ],
)
def test_a_summary_is_one_plain_sentence(text: str, summary: str) -> None:
    """Abbreviations end no sentence, a signature line is none, and markup is taken off."""
    assert parse(text, "dot").summary == summary


@pytest.mark.parametrize("text", ["Of %(name)s.", "Do.\n\n%(before_notes)s", "Do.\n\n    {options}\n\nMore."])
def test_templates_are_recognised(text: str) -> None:
    """What a decorator fills in on import is still a placeholder in the source."""
    assert is_template(text)


@pytest.mark.parametrize("text", ["100 % (of all) sums.", "x : {'a', 'b'}", "The set {x} of :math:`\\frac{a}{b}`."])
def test_braces_and_percent_signs_are_no_templates(text: str) -> None:
    """Choices, formulas and percentages are ordinary text."""
    assert not is_template(text)


SENTENCE = st.lists(st.from_regex(r"[a-z]{2,8}", fullmatch=True), min_size=1, max_size=6)


@given(paragraphs=st.lists(SENTENCE, min_size=1, max_size=4))
def test_no_word_is_lost(paragraphs: list[list[str]]) -> None:
    """Summary and body together have every word of a docstring without See Also, in order."""
    text = "\n\n".join(" ".join(words).capitalize() + "." for words in paragraphs)
    said = parse(text, "unlikely_name")
    assert f"{said.summary} {said.body}".split() == text.split()
