"""Lives of a ledger at random: after every step it answers what an independent model of it says.

A life is a sequence of commands as an operator gives them: rating, late usage, new prices, corrections
and their undoing, resets, a rating module switched off, points forgotten.  ``LEDGER_LIVES`` and
``LEDGER_STEPS`` set how many lives of how many steps; ``LEDGER_SEED`` repeats one.
"""
from __future__ import annotations

import json
import os
import random
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from cloudkitty_like.testing.databases import KINDS
from tests.commands import Here, Ran, spawn, write_configuration
from tests.databases import new_database
from tests.ledger_model import FACTORS, UNITS, Labels, Ledger, Revision, Row, Rule, Terms, report

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
HOURS = 60
SCOPES, FLAVORS = ("alpha", "beta", "gamma"), ("small", "large", "")
REPORTS = (("scope", "metric"), ("scope", "day"), ("metric", "time"), ())
BY_LABEL = ("metric", "flavor")
RULES = (
    Rule("instance"), Rule("instance", "small"), Rule("instance", "large"), Rule("instance", group="extra"),
    Rule("instance", "large", group="extra"), Rule("instance", level="2"), Rule("instance", level="5"),
    Rule("traffic"), Rule("traffic", "small", group="extra"), Rule("traffic", level="3", group="steps"),
    Rule("traffic", level="1"), Rule("traffic", level="100000", group="steps"),
)


def at(hour: int) -> str:
    return (BEGIN + hour * HOUR).strftime("%Y-%m-%dT%H:%M:%SZ")


class Life:
    """One installation and its model; each step changes both."""

    def __init__(self, path: Path, here: Here, connection: str, seed: int) -> None:
        self.path, self.here, self.random = path, here, random.Random(seed)
        self.model, self.end, self.effective = Ledger(SCOPES), 0, 0
        self.points_from, self.undoable_from, self.whole_from = 0, 0, 0
        self.undone: set[int] = set()
        self.forgotten: set[Revision] = set()
        write_configuration(path / "rating.conf", {
            "database": {"connection": connection},
            "orchestrator": {"coordination_url": f"file://{path}/locks"},
            "collect": {"collector": "file", "metrics_conf": path / "metrics.yml"},
            "fetcher": {"backend": "file"},
            "collector_file": {"path": path / "usage.csv"}, "fetcher_file": {"path": path / "usage.csv"}})
        (path / "metrics.yml").write_text("metrics:\n" + "".join(
            f"  {metric}: {{unit: {UNITS[metric]}, groupby: [flavor], factor: '{FACTORS[metric]}'}}\n"
            for metric in UNITS))
        # Every scope begins with the first hour; after the last row of the file nothing is known.
        self.fixed = [Row(hour, "instance", "1", scope, "small") for scope in SCOPES for hour in (0, HOURS - 1)]
        self.model.usage = [*self.fixed, *(self.row() for _ in range(300))]
        self.write_usage()
        self.ok("dbsync", "upgrade")

    # --- running commands

    def ok(self, *arguments: str | Path) -> str:
        ran = self.here("--config-file", self.path / "rating.conf", *arguments)
        assert ran.code == 0, (arguments, ran)
        return ran.out

    def spawned(self, *arguments: str | Path) -> Ran:
        return spawn("--config-file", self.path / "rating.conf", *arguments)

    def done(self, *arguments: str | Path) -> str:
        """What a command that rates prints; it ends its process, so it gets one of its own."""
        ran = self.spawned(*arguments)
        assert ran.code == 0, (arguments, ran)
        return ran.out

    # --- steps

    def step(self) -> str:
        steps = {self.rate: 6, self.late_usage: 4, self.rules: 5, self.rules_of_the_past: 1, self.reprocess: 4,
                 self.undo: 3, self.reset: 2, self.hashmap: 1, self.purge_superseded: 0.4, self.purge_rated: 0.4}
        (chosen,) = self.random.choices(list(steps), list(steps.values()))
        chosen()
        self.model.remember(self.last_change())
        return chosen.__name__

    def rate(self) -> None:
        self.end = min(self.end + self.random.randint(0, 8), HOURS) or 1
        self.done("rate", "--begin", at(0), "--end", at(self.end))
        self.model.rate(self.end)

    def late_usage(self) -> None:
        rows = self.model.usage[len(self.fixed):]
        self.random.shuffle(rows)
        self.model.usage = [*self.fixed, *rows[self.random.randint(0, 12):],
                            *(self.row() for _ in range(self.random.randint(0, 12)))]
        self.write_usage()

    def row(self) -> Row:
        raw = self.random.choice(["0", "1", "2.5", "7", "-1", "0.000000000001", "123456.789", "1e-11",
                                  str(self.random.randint(0, 10**6)), f"{self.random.random():.9f}"])
        return Row(self.random.randrange(HOURS), self.random.choice(list(UNITS)), raw,
                   self.random.choice(SCOPES), self.random.choice(FLAVORS))

    def write_usage(self) -> None:
        lines = ["begin,metric,quantity,project_id,flavor",
                 *(f"{at(row.hour)},{row.metric},{row.raw},{row.scope},{row.flavor}"
                   for row in sorted(self.model.usage))]
        (self.path / "usage.new").write_text("\n".join([*lines, ""]))
        (self.path / "usage.new").rename(self.path / "usage.csv")

    def terms(self) -> Terms:
        cost = Fraction(self.random.choice(["0", "0.1", "0.5", "1.25", "3", "0.0000000000001", "0.333333333333333",
                                            f"{self.random.randint(0, 10**6)}e-7"]))
        return Terms(cost, self.random.choice(("flat", "flat", "rate")))

    def rules(self) -> None:
        self.effective += self.random.randint(1, 6)
        self.apply({rule: self.terms() for rule in RULES if self.random.random() < 0.6}, self.effective)

    def rules_of_the_past(self) -> None:
        possible = [rule for rule in RULES if rule not in self.model.rules.ended()]
        self.apply({rule: self.terms() for rule in possible if self.random.random() < 0.7}, None)

    def apply(self, file: dict[Rule, Terms], effective: int | None) -> None:
        services: dict[str, list[dict[str, Any]]] = {metric: [] for metric in UNITS}
        for rule, terms in file.items():
            line: dict[str, Any] = {"cost": _decimal(terms.cost), "type": terms.type}
            line |= {"level": rule.level} if rule.level else {}
            line |= {"field": "flavor", "value": rule.flavor} if rule.flavor else {}
            line |= {"group": rule.group} if rule.group else {}
            services[rule.metric].append(line)
        (self.path / "rules.yml").write_text(json.dumps({"services": services}))
        when = ["--retroactive"] if effective is None else ["--effective", at(effective)]
        self.ok("rules", "apply", self.path / "rules.yml", *when)
        self.model.apply(file, effective)

    def reprocess(self) -> None:
        scopes = self.random.sample(SCOPES, self.random.randint(1, len(SCOPES)))
        latest = min(self.model.due[scope] for scope in scopes)
        if latest < 2:
            return
        first = self.random.randrange(latest - 1)
        last = self.random.randint(first + 1, latest)
        from_ledger = self.random.random() < 0.4 and first >= self.points_from
        before = self.tasks()
        self.done("reprocess", "start", *(f"--scope={scope}" for scope in scopes), "--begin", at(first), "--end",
                  at(last), "--reason", "the model says so", "--wait", *(["--from-ledger"] if from_ledger else []))
        for number, task in self.tasks().items():
            if number not in before:
                self.model.reprocess(number, task["scope"], range(first, last), from_ledger=from_ledger)

    def undo(self) -> None:
        possible = [number for number, task in self.model.tasks.items() if number >= self.undoable_from
                    and min(task.changed, default=HOURS) >= self.points_from
                    and max(task.changed, default=-1) < self.model.due[task.scope]]      # else it waits for live rating
        if not possible:
            return
        undone, before = self.random.choice(possible), self.tasks()
        ran = self.spawned("reprocess", "undo", str(undone), "--reason", "the model says so", "--wait")
        started = set(self.tasks()) - set(before)
        for number in started:
            self.model.undo(number, undone)
        assert (ran.code == 0) == (bool(self.model.tasks[undone].changed) and undone not in self.undone), ran
        self.undone |= {undone} if started else set()
        assert len(started) == (ran.code == 0), ran

    def reset(self) -> None:
        scopes = self.random.sample(SCOPES, self.random.randint(1, len(SCOPES)))
        latest = min(self.model.due[scope] for scope in scopes)
        if latest:
            to = self.random.randint(max(0, latest - 10), latest - 1)
            self.ok("scopes", "reset", "--to", at(to), *scopes)
            self.model.reset(scopes, to)

    def hashmap(self) -> None:
        self.ok("modules", "disable" if self.model.hashmap_enabled else "enable", "hashmap")
        self.model.enable(not self.model.hashmap_enabled)

    def purge_superseded(self) -> None:
        self.ok("purge", "--superseded-before", datetime.now(UTC).isoformat(), "--yes")
        self.undoable_from = max(self.tasks(), default=0) + 1
        self.whole_from = self.last_change()

    def purge_rated(self) -> None:
        earliest = min(self.model.due.values())
        if earliest > self.points_from:
            self.points_from = self.random.randint(self.points_from + 1, min(self.points_from + 5, earliest))
            self.ok("purge", "--rated-before", at(self.points_from), "--yes")
            self.forgotten |= {revision for (_, hour), revision in self.model.current.items()
                               if hour < self.points_from}

    # --- what the installation says

    def tasks(self) -> dict[int, dict[str, Any]]:
        return {task["id"]: task for task in json.loads(self.ok("reprocess", "list", "--json"))}

    def last_change(self) -> int:
        changes = json.loads(self.ok("history", "--ledger", "--all", "--json"))
        return max((change["last"] for change in changes), default=0)

    def check(self) -> None:
        """Reports of now and of an earlier state, over everything and over a window, are the model's."""
        numbers = sorted(number for number in self.model.states if number)
        if not numbers:
            return
        for number in {numbers[-1], self.random.choice(numbers)}:
            first = self.random.randrange(HOURS)
            for hours in (range(HOURS), range(first, self.random.randint(first + 1, HOURS))):
                self.check_report(self.random.choice(REPORTS), hours, number)
            if number >= self.whole_from:
                self.check_report(BY_LABEL, range(self.points_from, HOURS), number)
        if self.points_from:
            self.check_refused()

    def check_report(self, by: tuple[str, ...], hours: range, number: int) -> None:
        out = self.ok("report", "--by", ",".join(by), "--begin", at(hours.start), "--end", at(hours.stop),
                      "--as-of", str(number), "--json")
        rows = {tuple(row["key"][name] for name in by): {
            name: Fraction(value) if name in ("qty", "price") else value
            for name, value in row.items() if name != "key" and value is not None} for row in json.loads(out)}
        expected = report(self.model.states[number], by, hours, lambda hour: at(hour)[:10], at)
        if not by and not expected:
            assert all(row["points"] == 0 for row in rows.values())
        else:
            assert rows == expected, (by, hours, number)

    def check_refused(self) -> None:
        """Points that were forgotten are not answered with what is left; rated again they are there again."""
        forgotten = any(revision in self.forgotten and revision.points for revision in self.model.current.values())
        ran = self.here("--config-file", self.path / "rating.conf", "report", "--by", ",".join(BY_LABEL), "--json")
        assert (ran.code == 1) == forgotten, ran


def _decimal(number: Fraction) -> str:
    """A fraction whose denominator is a power of ten, in digits."""
    digits = 20
    whole = number.numerator * 10**digits // number.denominator
    text = f"{whole:0{digits + 1}d}"
    return f"{text[:-digits]}.{text[-digits:]}"


def seeds(lives: int) -> list[int]:
    if repeated := os.environ.get("LEDGER_SEED"):
        return [int(repeated)]
    return list(range(int(os.environ.get("LEDGER_LIVES", lives))))


def live(path: Path, capsys: Any, kind: str, seed: int, steps: int) -> None:
    with new_database(kind, create=False) as database:
        life = Life(path, Here(capsys), database.url.render_as_string(hide_password=False), seed)
        for number in range(int(os.environ.get("LEDGER_STEPS", steps))):
            name = life.step()
            try:
                life.check()
            except AssertionError as error:
                raise AssertionError(f"LEDGER_SEED={seed}, step {number}, {name}: {error}") from error
        life.ok("status", "--verify")


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1000, 1001])
@pytest.mark.parametrize("kind", KINDS)
def test_two_lives_are_what_the_model_says(tmp_path: Path, capsys: Any, kind: str, seed: int) -> None:
    live(tmp_path, capsys, kind, seed, steps=25)


@pytest.mark.long
@pytest.mark.parametrize("seed", seeds(50))
@pytest.mark.parametrize("kind", KINDS)
def test_many_lives_are_what_the_model_says(tmp_path: Path, capsys: Any, kind: str, seed: int) -> None:
    live(tmp_path, capsys, kind, seed, steps=40)


def test_the_model_prices_the_documents_example() -> None:
    """The example of the page on hashmap, as far as the model has its words: 1.10 × 1.337 and 1."""
    life = Ledger(("alpha",))
    life.usage = [Row(0, "instance", "1", "alpha", "small")]
    life.apply({Rule("instance"): Terms(Fraction(1)), Rule("instance", "small", group="test"): Terms(Fraction("1.337")),
                Rule("instance", group="test"): Terms(Fraction("1.1"), "rate")}, 1)
    life.rate(1)
    labels: Labels = ("instance", "small")
    assert life.current["alpha", 0].points == {labels: (Fraction(1), Fraction("2.4707"))}
