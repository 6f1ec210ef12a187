"""Text: what every database we use can keep, and the words of messages.

Messages quote values in short, write numbers with their nouns and name the known
word that an unknown one resembles.
"""
from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from hashlib import blake2b

LONGEST_VALUE = 4096            # characters of a label's value
LONGEST_QUOTE = 80              # characters of a value that a message quotes
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

_DIGEST_BYTES = 16
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def storable(text: str) -> bool:
    """Whether it has no NUL, which PostgreSQL refuses, and no halves of characters, which UTF-8 cannot say."""
    return _UNSTORABLE.search(text) is None


def all_storable(values: Sequence[str]) -> bool:
    """Whether every value can be a label's as it is: storable, and of at most LONGEST_VALUE characters."""
    return max(map(len, values), default=0) <= LONGEST_VALUE and storable("".join(values))


def storable_value(value: str) -> str:
    """The value of a label in a form that every database keeps; most values are returned as they are.

    U+FFFD stands for each character that cannot be stored.  A value of more than LONGEST_VALUE
    characters is cut to that length and ends with the BLAKE2b digest, in hexadecimal, of the
    whole value, so that two long values that begin alike stay distinct.
    """
    if len(value) > LONGEST_VALUE:
        whole = value.encode("utf-8", "surrogatepass")
        ending = f"#{blake2b(whole, digest_size=_DIGEST_BYTES).hexdigest()}"
        value = value[:LONGEST_VALUE - len(ending)] + ending
    return _UNSTORABLE.sub(REPLACEMENT, value)


def quoted(value: object, longest: int = LONGEST_QUOTE) -> str:
    """The ``repr`` of a value for a message; ``...`` stands for what exceeds ``longest``."""
    return shortened(repr(value), longest)


def shortened(text: str, longest: int = LONGEST_QUOTE) -> str:
    """The text, or its begin and ``...`` if it has more than ``longest`` characters."""
    return text if len(text) <= longest else f"{text[:longest - 3]}..."


def counted(number: int, noun: str) -> str:
    """A number with its noun: ``1 scope``, ``2 scopes``.  Only for nouns whose plural takes an -s."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The known word that ``word`` resembles most, letter case aside; None where it resembles none."""
    by_lower = {candidate.lower(): candidate for candidate in words}
    close = get_close_matches(word.lower(), by_lower, 1)
    return by_lower[close[0]] if close else None


def alternatives(words: Sequence[str]) -> str:
    """Join the words as one says them: ``a, b or c``."""
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
