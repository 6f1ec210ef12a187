"""What holds of whatever scripts do after hashmap: on random rules, scripts and usage, in the real sandbox."""
from __future__ import annotations

from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudkitty_like.domain.change import Change
from cloudkitty_like.domain.query import Query
from cloudkitty_like.service.pricing.modules import decide
from cloudkitty_like.service.pyscripts.request import ScriptRelease
from cloudkitty_like.service.pyscripts.scripts import Scripts
from cloudkitty_like.service.whatif.quote import Resource
from cloudkitty_like.testing.collector import Sample
from tests.books import NOW, at
from tests.databases import new_database
from tests.orchestrator.test_corrections_properties import Kept
from tests.rating.pyscripts.test_module import built
from tests.ratings import Ratings, flat, used
from tests.service.reports.test_explanations import COSTS, USED, checked, everything
from tests.service.whatif.test_quote import ROOT, desk_of

pytestmark = pytest.mark.slow

FEW = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
POINTS = "from decimal import Decimal\n\nfor points in data['usage'].values():\n    "
FORMS = (
    POINTS + "for p in points: p['rating']['price'] = p['vol']['qty'] * Decimal('{cost}') / 3",
    POINTS + "for p in points: p['rating']['price'] = (p['rating']['price'] or 0) * Decimal('{cost}') + 1",
    POINTS + "points[:] = [p for p in points if p['vol']['qty'] > {level}]",
    POINTS + "for p in points: p['vol']['qty'] += Decimal('{cost}')",
    POINTS + "for p in points: p['groupby'], p['metadata'] = {{}}, {{'seen': 'yes'}}",
    "data['usage']['fee'] = [{{'vol': {{'unit': 'each', 'qty': 1}}, 'rating': {{'price': {level}}}, 'groupby': {{}}}}]",
    "def rate(frame):\n    return [qty / 7 if qty > {level} else None for qty in frame.qty]",
    "def rate(frame):\n    return [price and price / 3 for price in frame.price]",
)
QUANTITIES = st.decimals(-1000, 1000, places=12)
TEXTS = st.lists(st.builds(str.format, st.sampled_from(FORMS), cost=COSTS, level=st.integers(-3, 50)),
                 min_size=1, max_size=3)
RULES = st.lists(st.one_of(
    st.builds(flat, COSTS, service=st.sampled_from(["compute", "disk", "cpu"]), group=st.sampled_from(["", "a"])),
    st.builds(flat, COSTS, type=st.just("rate"), level=st.decimals(-3, 50, places=3), group=st.just("b"))),
    max_size=3, unique_by=lambda rule: (rule.service, rule.group, rule.level))


class Scripted(Ratings):
    """Rates by rules of hashmap, then by scripts in their order."""

    def __init__(self, database, pyscripts, rules, texts):
        self.pyscripts = pyscripts
        super().__init__(database)
        self.rules(*rules)
        scripts = Scripts(database, pyscripts.check)
        for number, text in enumerate(texts):
            scripts.release(ScriptRelease(name=f"s{number}", text=text, order=number, retroactive=True),
                            Change(NOW, "tester", "scripts"))
        decide(database, Change(NOW, "tester", "modules"), "pyscripts", enabled=True, priority=0)

    def module(self, name):
        return self.pyscripts if name == "pyscripts" else super().module(name)


@contextmanager
def scripted(rules, texts):
    with new_database("sqlite") as database:
        pyscripts = built(database)
        try:
            yield Scripted(database, pyscripts, rules, texts)
        finally:
            pyscripts.close()


@FEW
@given(RULES, TEXTS, QUANTITIES, st.sampled_from(["m1", "m2"]))
def test_c26_a_quote_is_what_is_stored_when_the_same_is_rated(rules, texts, qty, flavor):
    with scripted(rules, texts) as books:
        asked = Resource("compute", qty, {"flavor": flavor}, {"image": "i"})
        desk = desk_of(books)
        (quoted,), (points,) = desk.prices(ROOT, [asked]), desk.explained(ROOT, [asked])
        books.rate("", 5, used(5, (str(qty), flavor, "i")))
        stored = books.summary.rows(Query(scopes=frozenset({""}), period=at(5)))
        assert sum(row.sum.price for row in stored) == (quoted or 0)
        assert sum(one.point.price or 0 for one in points) == (quoted or 0)


@FEW
@given(RULES, TEXTS, USED, USED)
def test_the_parts_of_a_price_and_its_rounding_are_what_is_stored(rules, texts, compute, disk):
    with scripted(rules, texts) as books:
        books.rate("alice", 0, *(used(0, *[(str(qty), *labels) for qty, *labels in rows], metric=metric, unit=unit)
                                 for rows, metric, unit in ((compute, "compute", "h"), (disk, "disk", "GiB")) if rows))
        explained = checked(everything(books))
        assert all(one.reproduced for one in explained)
        assert sum(one.point.price or 0 for one in explained) == sum(row.sum.price for row in books.summary.rows(
            Query(scopes=None)))


@FEW
@given(RULES, TEXTS, st.lists(QUANTITIES, min_size=8, max_size=8), st.permutations(["source", "stored"]))
def test_rating_again_without_a_change_makes_no_revision(rules, texts, quantities, turns):
    with scripted(rules, texts) as books, new_database("sqlite") as database:
        past = Kept(database, hours=2)
        past.collector.samples = [Sample(sample.when, sample.metric, str(qty), sample.labels)
                                  for sample, qty in zip(past.collector.samples, quantities, strict=True)]
        past.rate, past.ruleset = books.tariffs.latest()[1].rate, 2
        past.ask(last=1)
        past.worker().drain()
        before = past.frames(), past.change(), past.points()
        assert {row.ruleset for row in before[0] if row.current} == {2}
        for turn in turns:
            numbers = past.ask(last=1, quantities=turn)
            past.worker().drain()
            assert [(past.task(number).state, past.task(number).changed) for number in numbers] == [("done", 0)] * 2
        assert (past.frames(), past.change(), past.points()) == before
