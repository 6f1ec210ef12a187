"""``http_basic``: names and passwords of a file, with the project and the roles of each.

The header is read by oslo.middleware's functions. Its middleware is not used: it answers every exception of the
application with a 401 that quotes it, and tells by its haste which names there are not.
"""
from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from http import HTTPStatus
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import bcrypt
from oslo_config import cfg
from oslo_middleware import basic_auth

from cloudkitty_like.api.errors import refuse
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.service import strict_yaml
from cloudkitty_like.service.strict_yaml import YamlMapping

BCRYPT = ("$2a$", "$2b$", "$2y$")
KEYS = ("project", "roles")
UNKNOWN = "The request you have made requires authentication."
CHALLENGE = ("WWW-Authenticate", 'Basic realm="cloudkitty-like", charset="UTF-8"')


@dataclass(frozen=True, slots=True)
class User:
    """What a name may do: the roles it has, in the one project it has, or in none."""

    project: str | None = None
    roles: tuple[str, ...] = ()


def problems(conf: cfg.ConfigOpts) -> list[str]:
    """Everything that is wrong with both files, one line each."""
    lines = [f"[http_basic] {option}: {path}: {reason}" for option, path in _files(conf)
             for reason in _writers(path)]
    lines += _passwords(Path(conf.http_basic.htpasswd_file))
    try:
        read_users(Path(conf.http_basic.users_file))
    except Invalid as error:
        lines += [f"[http_basic] users_file: {problem}" for problem in error.problems]
    return lines


def warnings(conf: cfg.ConfigOpts) -> list[str]:
    """What might be better about both files, one line each."""
    return [f"[http_basic] {option}: {path}: everybody on this host may read it" for option, path in _files(conf)
            if path.exists() and path.stat().st_mode & stat.S_IROTH]


def guard(application: WSGIApplication, conf: cfg.ConfigOpts) -> WSGIApplication:
    """The application behind the passwords; the headers it gets name the user, the project and the roles."""
    passwords = conf.http_basic.htpasswd_file
    users = read_users(Path(conf.http_basic.users_file))

    def guarded(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        name = _authenticated(environ, passwords)
        if name is None:
            return refuse(start_response, HTTPStatus.UNAUTHORIZED, UNKNOWN, CHALLENGE)
        environ.update(_claims(name, users.get(name, User())))
        return application(environ, start_response)

    return guarded


def _authenticated(environ: WSGIEnvironment, passwords: str) -> str | None:
    try:
        # The header goes: nobody behind this needs the password.
        name, password = basic_auth.parse_token(basic_auth.parse_header(environ))
        digests = _digests(Path(passwords))
        digest = digests.get(name)
        right = bcrypt.checkpw(password, digest or _somebodys(digests, name))
    except Exception:
        # Whatever kept it from being shown to be right (bcrypt refuses some passwords with an error of its own).
        return None
    return name if right and digest else None


def _digests(path: Path) -> dict[str, bytes]:
    """The digests of the passwords by name; of a name that is there twice the first, as Apache reads it."""
    digests: dict[str, bytes] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, colon, digest = line.strip().partition(":")
        if colon and digest.startswith(BCRYPT) and not line.startswith("#"):
            digests.setdefault(name, digest.encode())
    return digests


def _somebodys(digests: Mapping[str, bytes], name: str) -> bytes:
    """A digest with which the password of a name that is not there is compared, so that it takes as long.

    How long depends on whose it is; so it is always the same for the same name, and nobody can tell whose.
    """
    mine = hashlib.sha256(b"".join(digests.values()) + name.encode()).digest()
    return list(digests.values())[int.from_bytes(mine) % len(digests)]


def _claims(name: str, user: User) -> dict[str, str]:
    claims = {"HTTP_X_USER_ID": name, "HTTP_X_USER_NAME": name, "HTTP_X_ROLES": ",".join(user.roles)}
    if user.project is not None:
        claims |= {"HTTP_X_PROJECT_ID": user.project, "HTTP_X_PROJECT_NAME": user.project}
    return claims


# --- the files --------------------------------------------------------------------------------------

def _files(conf: cfg.ConfigOpts) -> list[tuple[str, Path]]:
    """The option of each file, and where it is."""
    return [("htpasswd_file", Path(conf.http_basic.htpasswd_file)), ("users_file", Path(conf.http_basic.users_file))]


def _writers(path: Path) -> Iterator[str]:
    """Who else may write the file, or put another in its place: whoever does could let anybody in."""
    try:
        file, directory = path.stat(), path.resolve().parent.stat()
    except OSError:
        return                         # which is said where it is read
    if file.st_mode & stat.S_IWOTH:
        yield "everybody on this host may write it; chmod o-w"
    if file.st_mode & stat.S_IWGRP and file.st_gid not in (os.getegid(), *os.getgroups()):
        yield f"the group {file.st_gid}, which is not the service's, may write it; chmod g-w"
    if directory.st_mode & stat.S_IWOTH and not directory.st_mode & stat.S_ISVTX:
        yield "everybody on this host may put another in its place; chmod o-w the directory"


def _passwords(path: Path) -> Iterator[str]:
    """What is wrong with the file of passwords."""
    where = f"[http_basic] htpasswd_file: {path}"
    try:
        lines = _text(path).splitlines()
    except Invalid as error:
        yield f"[http_basic] htpasswd_file: {error}"
        return
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, digest = line.strip().partition(":")
        if not colon or not name:
            yield f"{where}: line {number}: write NAME:DIGEST, as htpasswd -B does"
        elif not digest.startswith(BCRYPT):
            yield f"{where}: line {number}: {name}: only bcrypt digests are read; make one by htpasswd -B"
        elif name in seen:
            yield f"{where}: line {number}: {name} is there already, on line {seen[name]}"
        seen.setdefault(name, number)


def read_users(path: Path) -> Mapping[str, User]:
    """The users of a file by name; Invalid with everything that is wrong, each with file, line and user."""
    document = strict_yaml.load(_text(path), str(path))
    if document is None:
        return {}
    if not isinstance(document, YamlMapping):
        raise Invalid(f"{path}: write one user a line, NAME: {{project: ID, roles: [ROLE, ...]}}")
    users, mistakes = {}, []
    for name, entry in document.items():
        wrong = list(_wrong(entry))
        mistakes += [f"{path}: line {document.lines[name]}: {name}: {reason}" for reason in wrong]
        if not wrong:
            users[name] = User(entry.get("project"), tuple(entry.get("roles") or ()))
    if mistakes:
        raise Invalid(*mistakes)
    return users


def _wrong(entry: Any) -> Iterator[str]:
    """What is wrong with what a user has."""
    if not isinstance(entry, YamlMapping):
        yield "write {project: ID, roles: [ROLE, ...]}"
        return
    for key in entry:
        if key not in KEYS:
            close = get_close_matches(key, KEYS, 1)
            yield f"{key} is not known; " + (f"did you mean {close[0]}?" if close else f"there are {', '.join(KEYS)}")
    project, roles = entry.get("project"), entry.get("roles") or []
    if project is not None and (not isinstance(project, str) or not project):
        yield "project: write the id as text, in quotes where it looks like a number"
    if not isinstance(roles, list) or not all(isinstance(role, str) and role and "," not in role for role in roles):
        yield "roles: write a list of names, [reader] for instance"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise Invalid(f"{path}: it is not a text in UTF-8") from None
    except OSError as error:
        raise Invalid(f"{path}: it cannot be read: {error.strerror}") from None
