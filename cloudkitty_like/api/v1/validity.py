"""What mappings and scripts have in common over HTTP: they hold for a time, and something was done to them."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudkitty_like.api.fields import BooleanField, InstantField, TextField
from cloudkitty_like.api.params import Param
from cloudkitty_like.api.v1.types import InstantText

OUTPUT = frozenset(("created_at", "deleted", "created_by", "updated_by", "deleted_by"))
"""Attributes that a client sends back because it has read them."""

WHICH = {
    "deleted": Param(BooleanField(), False, "deleted ones too"),
    "start": Param(InstantField(fractions=True), None, "start then or later"),
    "end": Param(InstantField(fractions=True), None, "end before that"),
    "created_by": Param(TextField(), None, "made by"), "updated_by": Param(TextField(), None, "changed by"),
    "deleted_by": Param(TextField(), None, "deleted by"),
    "description": Param(TextField(), None, "with this in the description, whatever the case"),
    "is_active": Param(BooleanField(), False, "hold now"),
}


class RuleInstantText(InstantText):
    """An instant to the microsecond, so that a client can send back what it has read."""

    kind = InstantField(fractions=True)


class RuleEndText(InstantText):
    """The same, and a date alone is that day's last second."""

    kind = InstantField(fractions=True, end_of_day=True)


def said(values: Mapping[str, Any]) -> dict[str, Any]:
    """What was given; null in a body is as good as nothing, as it is to CloudKitty."""
    return {name: value for name, value in values.items()
            if value is not None and name not in OUTPUT}
