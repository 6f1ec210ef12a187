"""The file that a backup is: a gzipped tar archive that begins with a manifest of all that follows.

An archive may come from elsewhere, damaged or made to do harm.  Nothing in it is
believed: a member is a plain file, named in the manifest, of the size and with
the digest that stand there, and is written under a name that stays in the directory.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import tarfile
import zlib
from collections.abc import Mapping
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

import msgspec

from cloudkitty_like.domain.errors import Invalid, Unavailable

FORMAT = 1
MANIFEST = "manifest.json"
CHUNK = 1 << 20
LARGEST_MANIFEST = 4 << 20
LARGEST_FILE = 64 << 20  # of members that are no database
LARGEST_HEADER = 4 << 20  # what tarfile may want to read at once of names and attributes
MOST_MEMBERS = 1000
LONGEST_NAME = 200
LEVEL = 4
DAMAGES = (tarfile.TarError, zlib.error, gzip.BadGzipFile, EOFError, RecursionError, ValueError)


class ArchiveMember(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file in the archive."""

    name: str
    size: int  # bytes
    sha256: str


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the archive holds, of which installation, when."""

    format: int
    software: str
    schema: str
    created_at: str
    database: str  # sqlite, postgresql, mysql
    secrets: bool
    counts: dict[str, int]
    databases: list[str]  # the members that are databases
    dumps: list[str] = []  # the files that hold the databases of a server, beside the archive
    left_out: list[str] = []  # what the installation needs besides, in words
    members: list[ArchiveMember] = []


def write(target: Path, manifest: Manifest, content: Mapping[str, Path | bytes]) -> Manifest:
    """Make the archive of these files, by their names in it; the manifest with them.

    :raises Unavailable: when a file cannot be read or the archive cannot be written.
    """
    try:
        members = [ArchiveMember(name, *_measured(source)) for name, source in content.items()]
        complete = msgspec.structs.replace(manifest, members=members)
        text = msgspec.json.format(msgspec.json.encode(complete), indent=1)
        with target.open("wb") as raw:
            with (
                gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=LEVEL) as packed,
                tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
            ):
                _add(archive, MANIFEST, len(text), BytesIO(text))
                for member in members:
                    source = content[member.name]
                    with (
                        BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file
                    ):
                        _add(archive, member.name, member.size, file)
            raw.flush()
            os.fsync(raw.fileno())
    except OSError as error:
        raise Unavailable(f"{error.filename or target}: {error.strerror or error}") from error
    return complete


def _measured(source: Path | bytes) -> tuple[int, str]:
    """Size in bytes, and SHA-256 in hexadecimal."""
    if isinstance(source, bytes):
        return len(source), hashlib.sha256(source).hexdigest()
    with source.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return file.tell(), digest


def _add(archive: tarfile.TarFile, name: str, size: int, content: IO[bytes]) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    archive.addfile(member, content)


# --- reading ------------------------------------------------------------------------------------


class _BoundedStream:
    """The unpacked bytes; few at once, as a header says how many tarfile reads of it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= LARGEST_HEADER:
            raise tarfile.ReadError("a header is too large")
        return self._stream.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Archive:
    """An archive that is open for reading; a context manager.

    :raises Invalid: from every method, when it is damaged or nothing that :func:`write` makes.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._stack = path, ExitStack()
        try:
            stream = _BoundedStream(cast(IO[bytes],
                                         self._stack.enter_context(gzip.GzipFile(path, "rb"))))
            self._tar = self._stack.enter_context(
                tarfile.TarFile(fileobj=cast(IO[bytes], stream), mode="r")
            )
            self.manifest = self._read_manifest()
        except DAMAGES as error:
            self._stack.close()
            raise self._damaged(error) from error
        except OSError as error:
            self._stack.close()
            raise Invalid(f"{path}: {error.strerror or error}") from error
        except Invalid:
            self._stack.close()
            raise

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def extract(self, directory: Path) -> None:
        """Write all members into the directory, and check each against the manifest.

        :raises Unavailable: when they cannot be written.
        """
        waiting = {member.name: member for member in self.manifest.members}
        try:
            while (entry := self._tar.next()) is not None:
                member = waiting.pop(entry.name, None)
                if member is None:
                    raise Invalid(
                        f"{self._path}: {entry.name[:LONGEST_NAME]!r} is not in its manifest, "
                        "or is there twice"
                    )
                self._extract(entry, member, directory)
        except DAMAGES as error:
            raise self._damaged(error) from error
        except OSError as error:
            raise Unavailable(
                f"{error.filename or directory}: {error.strerror or error}"
            ) from error
        if waiting:
            raise Invalid(f"{self._path}: {next(iter(waiting))} is missing: the archive is cut off")

    def _extract(self, entry: tarfile.TarInfo, member: ArchiveMember, directory: Path) -> None:
        self._check_plain(entry)
        if entry.size != member.size:
            raise Invalid(
                f"{self._path}: {member.name} has {entry.size} bytes, "
                f"its manifest says {member.size}"
            )
        target = directory / member.name
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        digest, source = hashlib.sha256(), cast(IO[bytes], self._tar.extractfile(entry))
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            while chunk := source.read(CHUNK):
                digest.update(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        if digest.hexdigest() != member.sha256:
            raise Invalid(
                f"{self._path}: {member.name} is damaged: its SHA-256 is {digest.hexdigest()}, "
                f"the manifest says {member.sha256}"
            )

    def _read_manifest(self) -> Manifest:
        entry = self._tar.next()
        if entry is None or entry.name != MANIFEST:
            raise Invalid(f"{self._path}: it is no backup: it does not begin with {MANIFEST}")
        self._check_plain(entry)
        if entry.size > LARGEST_MANIFEST:
            raise Invalid(
                f"{self._path}: its manifest has {entry.size} bytes, more than {LARGEST_MANIFEST}"
            )
        content = cast(IO[bytes], self._tar.extractfile(entry)).read()
        try:
            version = msgspec.json.decode(content, type=dict[str, Any]).get("format")
            if version != FORMAT:
                raise Invalid(
                    f"{self._path}: its format is {str(version)[:20]}, this release reads {FORMAT}",
                    hint="install the release that made it",
                )
            manifest = msgspec.json.decode(content, type=Manifest)
        except msgspec.DecodeError as error:
            raise Invalid(f"{self._path}: {MANIFEST}: {error}") from error
        self._check_members(manifest)
        return manifest

    def _check_members(self, manifest: Manifest) -> None:
        """Every name and size that the manifest allows."""
        names = [member.name for member in manifest.members]
        problems = [
            f"{name[:LONGEST_NAME]!r} is no name of a file in a backup"
            for name in names
            if not fits(name)
        ]
        problems += [
            f"{name!r} is in its manifest twice" for name in set(names) if names.count(name) > 1
        ][:1]
        problems += [
            f"{member.name[:LONGEST_NAME]!r} has {member.size} bytes, more than {LARGEST_FILE}"
            for member in manifest.members
            if member.size < 0
            or (member.size > LARGEST_FILE and member.name not in manifest.databases)
        ]
        if len(names) > MOST_MEMBERS:
            problems = [f"it has {len(names)} members, more than {MOST_MEMBERS}"]
        if problems:
            raise Invalid(*(f"{self._path}: {problem}" for problem in problems))

    def _check_plain(self, entry: tarfile.TarInfo) -> None:
        if not entry.isreg() or entry.issparse():
            raise Invalid(
                f"{self._path}: {entry.name[:LONGEST_NAME]!r} is a link, a device or a sparse file"
            )

    def _damaged(self, error: BaseException) -> Invalid:
        return Invalid(f"{self._path}: it is no backup, or it is damaged or cut off: {error}")


def fits(name: str) -> bool:
    """Whether a name stays in the directory, and hides nothing."""
    parts = PurePosixPath(name).parts
    return (
        0 < len(name) <= LONGEST_NAME
        and name.isprintable()
        and "\\" not in name
        and name == "/".join(parts)
        and not any(part.startswith((".", "/")) for part in parts)
    )
