"""Text: what every database we use can keep, numbers with their nouns, and words that resemble each other."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


def storable(text: str) -> bool:
    """Whether it has no NUL, which PostgreSQL refuses, and no halves of characters, which UTF-8 cannot say."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def counted(number: int, noun: str) -> str:
    """A number with its noun: ``1 scope``, ``2 scopes``.  Only for nouns whose plural takes an -s."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that ``word`` resembles most, letter case aside; None where it resembles none."""
    by_lower = {one.lower(): one for one in known}
    close = get_close_matches(word.lower(), by_lower, 1)
    return by_lower[close[0]] if close else None


def alternatives(words: Sequence[str]) -> str:
    """Join the words as one says them: ``a, b or c``."""
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
