"""The parser of every command's arguments: what is wrong with them is said in one line."""
from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any, NoReturn

from cloudkitty_like.domain.text import nearest


class Parser(argparse.ArgumentParser):
    """Wrong arguments are one line on stderr and exit 1, as every other wrong input."""

    def error(self, message: str) -> NoReturn:
        self.exit(1, f"{self.prog}: error: {message}\n")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Refuse a word that is none of the action's choices, with the choice that it resembles."""
        if action.choices is not None and value not in action.choices:
            raise argparse.ArgumentError(action, refusal(str(value), map(str, action.choices)))


def refusal(word: str, choices: Iterable[str], noun: str = "") -> str:
    """Say that ``word`` is none of ``choices``, and which of them may be meant."""
    words = list(choices)
    near = nearest(word, words)
    return f"there is no {noun}{word!r}; " + (f"did you mean {near!r}?" if near
                                              else f"there are {', '.join(words)}")
