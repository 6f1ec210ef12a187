"""``skip_datapoints_expression``: which rated points are not to be kept.

CloudKitty evaluates this text as Python, inside its processor, for every
point.  Here it is read once, into a closed set of nodes
(:mod:`cloudkitty_like.domain.expression_tree`); Python's parser lends the
grammar, nothing is ever executed.  What it may say:

* literals: text, whole and decimal numbers (``0.1`` is one tenth exactly), True, False, None; after ``in`` also
  tuples, lists and sets of them;
* ``datapoint``, shaped ``{"vol": {"unit", "qty"}, "rating": {"price"}, "groupby": {...}, "metadata": {...}}``, by
  subscript or ``.get(key, default)``, keys as literals;
* comparisons, chained ones too, ``in``, ``not in``, ``is None``; ``and``, ``or``, ``not``; ``+ - * /`` of numbers;
* ``str() int() float() len()`` and the text methods ``startswith endswith lower upper strip``.
"""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.expression_reader import read
from cloudkitty_like.domain.expression_tree import (
    CALENDAR,
    LabelPath,
    LiteralNode,
    Node,
    Rows,
    answers,
)
from cloudkitty_like.domain.frame import Frame


@dataclass(frozen=True, slots=True)
class Predicate:
    """An expression that is true of the points to skip.  Equal to another of the same text."""

    text: str
    tree: Node = field(compare=False, repr=False)

    @property
    def never(self) -> bool:
        """Whether it is plainly false, of every point; then it costs nothing."""
        return isinstance(self.tree, LiteralNode) and not self.tree.value

    def mask(self, frame: Frame) -> list[bool]:
        """For each row, whether it is to be skipped.

        Raises Invalid, naming the expression and the reason, where it cannot
        be applied to a row: a label that is not there, a text compared with a number.
        """
        if self.never or not len(frame):
            return [False] * len(frame)
        try:
            return list(map(bool, answers(self.tree, Rows(frame, range(len(frame))))))
        except Invalid as error:
            raise Invalid(f"{frame.metric}: the skip expression {self.text!r} fails: {error}") from None

    def kept(self, frame: Frame) -> Frame:
        """The frame without its skipped rows; the same object where none is skipped."""
        if self.never:
            return frame
        skipped = self.mask(frame)
        return frame.where([not skip for skip in skipped]) if True in skipped else frame

    def missing(self, groupby: Iterable[str], metadata: Iterable[str]) -> list[LabelPath]:
        """The labels, by kind and name, without which it fails, and that a metric with these labels has not."""
        labels = {"groupby": frozenset((*groupby, *CALENDAR)), "metadata": frozenset(metadata)}
        return sorted(self.tree.unmet(labels))


def parse(text: str) -> Predicate:
    """The predicate that ``text`` says; Invalid, with the column, where it says anything else."""
    text = text.strip()
    return Predicate(text, read(text))
