"""Languages: how the words of a text are found, stemmed and compared."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Language:
    """What is known of a language's words.

    Attributes:
        stemmer: the Snowball stemmer's name, None where there is none.
        stop_words: the name of bm25s's list, None where there is none.
        blanks: whether words have blanks between them.
    """

    stemmer: str | None = None
    stop_words: str | None = None
    blanks: bool = True

    @property
    def unit(self) -> Literal["word", "character"]:
        """What shingles are made of: words, or characters where no blanks tell words apart."""
        return "word" if self.blanks else "character"


_NO_BLANKS = Language(blanks=False)

# By all of its ISO 639 codes: two letters, three letters, the older three.
_LANGUAGES = {
    "ar ara arb": Language("arabic"),
    "bo bod tib": _NO_BLANKS,
    "ca cat": Language("catalan"),
    "cs ces cze": Language("czech"),
    "da dan": Language("danish", "danish"),
    "de deu ger": Language("german", "german"),
    "dz dzo": _NO_BLANKS,
    "el ell gre": Language("greek"),
    "en eng": Language("english", "english"),
    "eo epo": Language("esperanto"),
    "es spa": Language("spanish", "spanish"),
    "et est ekk": Language("estonian"),
    "eu eus baq": Language("basque"),
    "fa fas per pes": Language("persian"),
    "fi fin": Language("finnish"),
    "fr fra fre": Language("french", "french"),
    "ga gle": Language("irish"),
    "hi hin": Language("hindi"),
    "hu hun": Language("hungarian"),
    "hy hye arm": Language("armenian"),
    "id ind": Language("indonesian"),
    "it ita": Language("italian", "italian"),
    "ja jpn": _NO_BLANKS,
    "km khm": _NO_BLANKS,
    "ko kor": Language(None, "korean"),
    "lo lao": _NO_BLANKS,
    "lt lit": Language("lithuanian"),
    "my mya bur": _NO_BLANKS,
    "ne nep npi": Language("nepali"),
    "nl nld dut": Language("dutch", "dutch"),
    "no nor nb nob nn nno": Language("norwegian", "norwegian"),
    "pl pol": Language("polish"),
    "pt por": Language("portuguese", "portuguese"),
    "ro ron rum": Language("romanian"),
    "ru rus": Language("russian", "russian"),
    "sr srp": Language("serbian"),
    "st sot": Language("sesotho"),
    "sv swe": Language("swedish", "swedish"),
    "ta tam": Language("tamil"),
    "th tha": _NO_BLANKS,
    "tr tur": Language("turkish", "turkish"),
    "yi yid": Language("yiddish"),
    # Lists of stop words hold words, and texts without blanks are counted in pairs of characters: none for Chinese.
    "zh zho chi cmn yue wuu lzh": _NO_BLANKS,
}
_BY_CODE = {code: language for codes, language in _LANGUAGES.items() for code in codes.split()}


def of(code: str | None) -> Language:
    """Return what is known of a language.

    Args:
        code: ISO 639. None, and a code that stands for no language here, is taken as: words between blanks, no
            stemmer, no stop words.
    """
    return _BY_CODE.get(code or "", Language())
