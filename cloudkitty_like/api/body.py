"""The body of a request: read whole or refused, and its members as arguments."""
from __future__ import annotations

from typing import Any

from webob import Request

from cloudkitty_like.api import errors
from cloudkitty_like.api.context import JSON
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.json_value import parsed


def given(request: Request, most: int) -> dict[str, list[Any]]:
    """The arguments in the body, by name; none where there is no body.

    :raises TooLarge: when it has more than ``most`` bytes
    :raises UnsupportedMedia: when it is not said to be JSON
    :raises Invalid: when it does not arrive whole, or is no object of JSON
    """
    length = request.content_length
    if length is not None and length > most:
        raise errors.TooLarge(f"a body may have {most} bytes, this one has {length}")
    data = _read(request, most + 1) if length or request.is_body_readable else b""
    if len(data) > most:
        raise errors.TooLarge(f"a body may have {most} bytes")
    if not data:
        return {}
    kind = (request.content_type or "").lower()
    # What a form of another site could send with a browser's password is refused: no text, nothing without a type.
    if kind != JSON and not kind.endswith("+json"):
        raise errors.UnsupportedMedia(f"a body of {kind[:80] or 'no type'} is not understood; send {JSON}")
    members = parsed(data)
    if not isinstance(members, dict):
        raise Invalid("the body is not an object of JSON")
    return {name: [value] for name, value in members.items()}


def _read(request: Request, most: int) -> bytes:
    """The body, up to so many bytes."""
    length, stream, data = request.content_length, request.body_file, bytearray()
    try:
        while len(data) < most and (piece := stream.read(most - len(data))):
            data += piece
    except Exception as error:         # every server has errors of its own for what a client sends wrongly
        raise Invalid(f"the body does not arrive whole: {error}"[:200]) from error
    if length is not None and len(data) < min(most, length):
        raise Invalid(f"the body ends early, after {len(data)} of {length} bytes")
    return bytes(data)
