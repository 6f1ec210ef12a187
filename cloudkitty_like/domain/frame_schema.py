"""Points as a frame: what the points of one frame have in common, and the frame that they make."""
from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.period import Period

LabelNames = tuple[str, ...]


class FrameSchema(NamedTuple):
    """The names of labels are sorted."""

    metric: str
    unit: str
    groupby: LabelNames
    metadata: LabelNames


def frame_of_points(period: Period, shape: FrameSchema,
                    amounts: Mapping[LabelNames, tuple[Decimal, Decimal | None]]) -> Frame:
    """The frame of these points: quantity and price by the cells of groupby, then of metadata.

    Invalid where a quantity is out of range; prices are taken as they are.
    """
    rows = sorted(amounts)
    columns = [list(column) for column in zip(*rows, strict=True)]
    if not rows:
        columns = [[] for _ in (*shape.groupby, *shape.metadata)]
    width = len(shape.groupby)
    frame = Frame.of_usage(
        shape.metric, shape.unit, period, [amounts[row][0] for row in rows],
        dict(zip(shape.groupby, columns[:width], strict=True)),
        dict(zip(shape.metadata, columns[width:], strict=True)))
    return frame.with_price([amounts[row][1] for row in rows])

PricedQuantity = tuple[Decimal, Decimal | None]
"""Quantity and price; None of what no rule has priced."""
