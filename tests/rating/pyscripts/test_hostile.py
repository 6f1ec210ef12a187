"""Hostile scripts: each is contained and reported, while another scope's rating goes on as if nothing were."""
from __future__ import annotations

import os
import re
import socket
import sqlite3
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import gettempdir

import pytest

from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.script import Script
from cloudkitty_like.domain.text import storable
from cloudkitty_like.rating.pyscripts.forkserver import LANDLOCK, NAMESPACES
from cloudkitty_like.rating.pyscripts.sandbox import Confinement, Sandbox
from cloudkitty_like.rating.pyscripts.tariff import PyscriptsTariff

from .hostile import BREACH, HOSTILE

HOUR = Period.starting(datetime(2026, 3, 1, 10, tzinfo=UTC), timedelta(hours=1))
SHARED = str(Path(gettempdir(), "of-a-script"))
SECRET = "s3cret-of-the-service"
GOOD = """
from decimal import Decimal

for point in data["usage"]["compute"]:
    point["rating"] = {"price": point["vol"]["qty"] * Decimal("0.5")}
"""


def usage(scope: str) -> list[Frame]:
    return [Frame.of_usage("compute", "hour", HOUR, [Decimal(1), Decimal(2), Decimal(3)],
                           {"project_id": [scope] * 3, "id": list("abc")}, {"flavor": ["m1", "m2", "m1"]})]


@pytest.fixture(scope="module", params=[NAMESPACES, LANDLOCK])
def sandbox(request):
    # Small limits, so that breaking one takes a second.
    made = Sandbox(Confinement(isolation=request.param, cpu_seconds=1, wall_seconds=4, memory_bytes=256 << 20,
                               answer_bytes=16 << 20))
    yield made
    made.close()


class Belongings:
    """Things that no script may reach; whether they are untouched."""

    def __init__(self, directory: Path) -> None:
        directory.chmod(0o777)
        self.directory = directory
        self.configuration, self.canary, self.database = (directory / name for name in ("our.conf", "canary", "our.db"))
        self.configuration.write_text(SECRET)
        self.canary.write_text("sings")
        with sqlite3.connect(self.database) as database:
            database.execute("create table secret (word text)")
            database.execute("insert into secret values (?)", (SECRET,))
        database.close()
        for path in (self.configuration, self.canary, self.database):
            path.chmod(0o666)                      # so that nothing but the sandbox keeps a script away
        self.api = socket.create_server(("127.0.0.1", 0))
        self.api.settimeout(0)
        self.before = self.seen()

    @property
    def filled(self) -> dict[str, object]:
        return {"configuration": str(self.configuration), "database": str(self.database), "canary": str(self.canary),
                "directory": str(self.directory), "shared": SHARED,
                "port": self.api.getsockname()[1], "parent": os.getpid()}

    def seen(self) -> object:
        files = {path.name: (path.read_bytes(), path.stat().st_mode) for path in self.directory.iterdir()}
        return files, Path(SHARED).exists(), Path("/dev/shm/of-a-script").exists()

    def untouched(self) -> bool:
        try:
            self.api.accept()
        except BlockingIOError:
            return self.seen() == self.before
        return False


@pytest.fixture(scope="module")
def belongings(tmp_path_factory):
    os.environ["CLOUDKITTY_LIKE_SECRET"] = SECRET
    made = Belongings(tmp_path_factory.mktemp("belongings"))
    yield made
    made.api.close()
    del os.environ["CLOUDKITTY_LIKE_SECRET"]


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_s1_a_hostile_script_is_contained_and_reported(sandbox, belongings, name):
    text, said = HOSTILE[name]
    if "{" in text:
        text = text.format(**belongings.filled)
    rating = PyscriptsTariff({"g": Script(name="good", text=GOOD)}, sandbox, "project_id", recheck=0)
    before = rating.rate("good", HOUR, usage("good"))

    error = ""
    try:
        script = Script(name="evil", text=text if said and "rate(frame)" in text else BREACH + "held = []\n" + text)
        PyscriptsTariff({"e": script}, sandbox, "project_id", recheck=1).rate("evil", HOUR, usage("evil"))
    except Invalid as invalid:
        error = str(invalid)

    assert "BREACH" not in error.replace("class BREACH", "")
    assert SECRET not in error
    assert len(error) < 6000
    assert storable(error)
    if said and "seconds of CPU" in said:
        said += "|ran longer than"             # which comes first depends on what else the machine does
    if said and sandbox.isolation == LANDLOCK:
        # Without namespaces a network is there, but no socket; and the library may be where only root can look.
        said += "|Error|error"
    assert (re.search(said, error, re.DOTALL) if said else not error), error
    assert not error or "evil" in error or "data:" in error
    assert belongings.untouched()
    assert prices(rating.rate("good", HOUR, usage("good"))) == prices(before) == [Decimal("0.5"), 1, Decimal("1.5")]


def prices(frames):
    return [price for frame in frames for price in frame.price]


def test_there_are_sixty_of_them():
    assert len(HOSTILE) >= 60
