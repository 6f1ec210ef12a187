"""What text every database we use can keep."""
from __future__ import annotations


def storable(text: str) -> bool:
    """Whether it has no NUL, which PostgreSQL refuses, and no halves of characters, which UTF-8 cannot say."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
