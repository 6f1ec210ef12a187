"""The archive of a backup: what is written is read, and nothing that it is told is believed."""
from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.service.operation import archive
from cloudkitty_like.service.operation.archive import Archive, Manifest

EMPTY = Manifest(format=1, software="0.1.0", schema="0004", created_at="2026-11-30T00:00:00Z", database="sqlite",
                 secrets=False, counts={}, databases=["a.sqlite"])
CONTENT = b"content" * 1000


@pytest.fixture
def made(tmp_path: Path) -> Path:
    (tmp_path / "database").write_bytes(CONTENT)
    archive.write(tmp_path / "b.tar.gz", EMPTY, {"a.sqlite": tmp_path / "database", "sample/x.yml": b"x: 1\n"})
    return tmp_path / "b.tar.gz"


def read(path: Path, directory: Path) -> Manifest:
    directory.mkdir()
    with Archive(path) as opened:
        opened.extract(directory)
        return opened.manifest


def test_i8_m7_what_is_written_is_read(made: Path, tmp_path: Path) -> None:
    manifest = read(made, tmp_path / "out")
    assert {member.name: member.size for member in manifest.members} == {"a.sqlite": 7000, "sample/x.yml": 5}
    assert (tmp_path / "out" / "a.sqlite").read_bytes() == CONTENT
    assert (tmp_path / "out" / "sample" / "x.yml").read_bytes() == b"x: 1\n"
    with tarfile.open(made) as ordinary:                # by the program that everybody has, too
        assert ordinary.getnames() == ["manifest.json", "a.sqlite", "sample/x.yml"]


def test_i8_m7_every_cut_and_every_changed_byte_is_noticed(made: Path, tmp_path: Path) -> None:
    whole = made.read_bytes()
    for number in range(0, len(whole), 7):
        for name, damaged in (("cut", whole[:number]), ("bit", whole[:number] + bytes([whole[number] ^ 0x10])
                                                        + whole[number + 1:])):
            made.write_bytes(damaged)
            directory = tmp_path / f"{name}{number}"
            with suppress(Invalid):
                read(made, directory)
                # A byte of gzip's header says nothing of the content: that is right, whatever it says.
                assert (directory / "a.sqlite").read_bytes() == CONTENT


def packed(path: Path, members: list[tuple[Any, bytes]]) -> Path:
    """A tar archive of entries as a hostile author would make it; a str is a plain file's name."""
    with gzip.open(path, "wb") as stream, tarfile.open(fileobj=stream, mode="w") as tar:
        for entry, content in members:
            info = tarfile.TarInfo(entry) if isinstance(entry, str) else entry
            if info.isreg() and not info.size:
                info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def manifest(*members: tuple[str, bytes], **changes: Any) -> tuple[str, bytes]:
    value = {"format": 1, "software": "0.1.0", "schema": "0004", "created_at": "", "database": "sqlite",
             "secrets": False, "counts": {}, "databases": [], "members": [
                 {"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
                 for name, content in members]} | changes
    return "manifest.json", json.dumps(value).encode()


def link(kind: bytes, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo("x")
    info.type, info.linkname = kind, target
    return info


def a_member(name: str) -> Callable[[Path], Path]:
    return lambda path: packed(path, [manifest((name, b"1")), (name, b"1")])


HOSTILE: dict[str, tuple[Callable[[Path], Path], str]] = {
    **{f"name {name!r}": (a_member(name), "is no name of a file in a backup") for name in (
        "../x", "/etc/x", "a/../../x", ".hidden", "a/.b", "a//b", "./a", "a\\b", "a\nb", "", "x" * 201, "a/")},
    "symbolic link": (lambda path: packed(path, [manifest(("x", b"")), (link(tarfile.SYMTYPE, "/etc/passwd"), b"")]),
                      "is a link, a device or a sparse file"),
    "hard link": (lambda path: packed(path, [manifest(("x", b"")), (link(tarfile.LNKTYPE, "/etc/passwd"), b"")]),
                  "is a link, a device or a sparse file"),
    "device": (lambda path: packed(path, [manifest(("x", b"")), (link(tarfile.CHRTYPE, ""), b"")]),
               "is a link, a device or a sparse file"),
    "directory": (lambda path: packed(path, [manifest(("x", b"")), (link(tarfile.DIRTYPE, ""), b"")]),
                  "is a link, a device or a sparse file"),
    "a member that is not named": (lambda path: packed(path, [manifest(), ("x", b"1")]), "'x' is not in its manifest"),
    "a member twice": (lambda path: packed(path, [manifest(("x", b"1")), ("x", b"1"), ("x", b"2")]), "is there twice"),
    "a name twice": (lambda path: packed(path, [manifest(("x", b"1"), ("x", b"1")), ("x", b"1")]), "manifest twice"),
    "a member missing": (lambda path: packed(path, [manifest(("x", b"1"))]), "x is missing: the archive is cut off"),
    "another size": (lambda path: packed(path, [manifest(("x", b"1")), ("x", b"12")]), "x has 2 bytes, its manifest"),
    "another content": (lambda path: packed(path, [manifest(("x", b"1")), ("x", b"2")]), "x is damaged: its SHA-256"),
    "a huge file": (lambda path: packed(path, [manifest(members=[{"name": "x", "size": 1 << 40, "sha256": ""}])]),
                    "'x' has 1099511627776 bytes, more than"),
    "a negative size": (lambda path: packed(path, [manifest(members=[{"name": "x", "size": -1, "sha256": ""}])]),
                        "'x' has -1 bytes"),
    "a huge manifest": (lambda path: packed(path, [("manifest.json", b" " * (5 << 20))]), "its manifest has"),
    "very many members": (lambda path: packed(path, [manifest(*((f"x{n}", b"") for n in range(1001)))]),
                          "it has 1001 members"),
    "another format": (lambda path: packed(path, [manifest(format=2)]), "its format is 2, this release reads 1"),
    "no manifest": (lambda path: packed(path, [("x", b"1")]), "it does not begin with manifest.json"),
    "a manifest of nonsense": (lambda path: packed(path, [("manifest.json", b"[1")]), "manifest.json"),
    "a manifest without a schema": (lambda path: packed(path, [manifest(schema=None)]), "$.schema"),
    "an unknown field": (lambda path: packed(path, [manifest(run="rm")]), "unknown field `run`"),
    "nothing": (lambda path: packed(path, []), "it is no backup"),
    "no tar": (lambda path: Path(path.write_bytes(gzip.compress(b"x" * 5000)) and path), "it is no backup"),
    "no gzip": (lambda path: Path(path.write_bytes(b"x" * 5000) and path), "it is no backup"),
    "an empty file": (lambda path: Path(path.touch() or path), "it is no backup"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_i8_m7_a_hostile_archive_is_refused_with_a_reason(tmp_path: Path, name: str) -> None:
    make, said = HOSTILE[name]
    path = make(tmp_path / "h.tar.gz")
    with pytest.raises(Invalid) as refused:
        read(path, tmp_path / "out")
    assert said in str(refused.value)
    assert sorted(os.listdir(tmp_path)) in (["h.tar.gz", "out"], ["h.tar.gz"])


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XGLTYPE])
def test_i8_m7_a_bomb_in_a_header_takes_no_memory(tmp_path: Path, kind: bytes) -> None:
    header = tarfile.TarInfo("bomb")
    header.type, header.size = kind, 1 << 30
    path = tmp_path / "bomb.tar.gz"
    with gzip.open(path, "wb", compresslevel=1) as stream:
        stream.write(header.tobuf(tarfile.GNU_FORMAT))
        for _ in range(64):
            stream.write(bytes(1 << 20))
    tracemalloc.start()
    began = time.process_time()
    with pytest.raises(Invalid, match="a header is too large"):
        read(path, tmp_path / "out")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 32 << 20
    assert time.process_time() - began < 5


def test_i8_m7_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="No such file"):
        Archive(tmp_path / "none")
