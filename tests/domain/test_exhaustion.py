"""Errors of the kernel's limits are told apart from all others, and the limit is named."""
from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable

import pytest

from cloudkitty_like.domain.exhaustion import exhausted, out_of_files


def wrapped(error: BaseException) -> BaseException:
    """As a library raises it: for a reason that it keeps."""
    outer = RuntimeError("it did not work")
    outer.__cause__ = error
    return outer


@pytest.mark.parametrize("dress", [lambda error: error, wrapped, lambda error: ConnectionError("failed", error)])
def test_i8_b9_the_limit_on_open_files_is_named_with_its_value(dress: Callable[[BaseException], BaseException]) -> None:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    said = exhausted(dress(OSError(errno.EMFILE, os.strerror(errno.EMFILE))))
    assert said is not None
    assert f"this process may have {limit} " in said
    assert "LimitNOFILE" in said


@pytest.mark.parametrize(("error", "words"), [
    (Exception("could not create socket: Too many open files"), "out of file descriptors"),
    (OSError(errno.ENFILE, os.strerror(errno.ENFILE)), "fs.file-max"),
    (MemoryError(), "out of memory"),
    (OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)), "out of memory"),
    (RuntimeError("can't start new thread"), "out of threads"),
])
def test_i8_b9_each_limit_has_its_words(error: BaseException, words: str) -> None:
    assert words in str(exhausted(error))


@pytest.mark.parametrize("error", [None, ValueError("no"), OSError(errno.ENOENT, "none"), RuntimeError("thread")])
def test_i8_b9_what_is_no_limit_is_none(error: BaseException | None) -> None:
    assert exhausted(error) is None


def test_i8_b9_whether_a_further_file_can_be_opened() -> None:
    assert out_of_files() is None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        assert "this process may have 3 " in str(out_of_files())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
