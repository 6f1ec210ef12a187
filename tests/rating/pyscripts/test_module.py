"""What scripts can do, and how they are chosen and ordered."""
from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest

from cloudkitty_like.db.rules import rules
from cloudkitty_like.domain.change import Change
from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.domain.frame import Frame
from cloudkitty_like.domain.period import Period
from cloudkitty_like.domain.rule import Validity
from cloudkitty_like.domain.script import Script
from cloudkitty_like.plugin import load_class
from cloudkitty_like.ports import PluginContext
from cloudkitty_like.rating.pyscripts.module import PyscriptsModule
from cloudkitty_like.service.pyscripts.request import ScriptRequest
from cloudkitty_like.service.pyscripts.scripts import Scripts
from cloudkitty_like.testing.rating import METRIC, RatingModuleContract

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = Period.starting(NOW + timedelta(hours=10), timedelta(hours=1))
OPTIONS = {option.dest: option.default for option in PyscriptsModule.OPTS}


def built(database=None, **options):
    return PyscriptsModule.from_conf(SimpleNamespace(**{**OPTIONS, **options}), PluginContext(database=database))


@pytest.fixture(scope="module")
def module():
    made = built(recheck=1)
    yield made
    made.close()


def usage():
    return [
        Frame.of_usage("compute", "instance", HOUR, [Decimal(1), Decimal(2), Decimal("0.5")],
                       {"project_id": ["p"] * 3, "id": ["a", "b", "c"]}, {"flavor": ["m1.nano", "m1.large", "other"]}),
        Frame.of_usage("volume", "GiB", HOUR, [Decimal(100)], {"project_id": ["p"], "id": ["v"]}),
    ]


def named(*texts):
    return [Script(name=f"script {number}", text=text, order=number) for number, text in enumerate(texts)]


def rated(module, *texts, frames=None):
    return module.candidate(named(*texts)).rate("p", HOUR, usage() if frames is None else frames)


def rows(frames):
    """All points: metric, unit, quantity, price, all labels."""
    found = []
    for frame in frames:
        names = [*frame.groupby, *frame.metadata]
        found += [(frame.metric, frame.unit, qty, price, dict(zip(names, (*groupby, *metadata), strict=True)))
                  for groupby, metadata, qty, price in frame.rows()]
    return found


def prices(frames):
    return {(metric, labels.get("id")): price for metric, _, _, price, labels in rows(frames)}


def test_pyscripts_is_installed_and_off_by_default():
    assert load_class("rating", "pyscripts") is PyscriptsModule
    assert not PyscriptsModule.enabled_by_default


# A script as CloudKitty's documentation teaches them: tables of prices made of floats, a function for each service
# that answers the price of a point, a table of these functions, and a loop that goes over the usage.
AS_DOCUMENTED = """
import decimal

flavors = {"m1.nano": decimal.Decimal(0.35), "m1.large": decimal.Decimal(2.67)}
per_gigabyte = decimal.Decimal(0.25)


def price_of_compute(item):
    flavor = item["metadata"]["flavor"]
    if flavor not in flavors:
        return 0
    return decimal.Decimal(item["vol"]["qty"]) * flavors[flavor]


def price_of_volume(item):
    if not item["vol"]["qty"]:
        return 0
    return decimal.Decimal(item["vol"]["qty"]) * per_gigabyte


functions = {"compute": price_of_compute, "volume": price_of_volume}


def process(data):
    for name, items in data["usage"].items():
        if name in functions:
            for item in items:
                item["rating"] = {"price": functions[name](item)}
    return data


data = process(data)
"""


def test_a_script_as_cloudkitty_documents_them_runs_unchanged(module):
    assert {key: None if price is None else round(price, 12) for key, price in
            prices(rated(module, AS_DOCUMENTED)).items()} == {
        ("compute", "a"): Decimal("0.35"), ("compute", "b"): Decimal("5.34"), ("compute", "c"): 0, ("volume", "v"): 25}


def test_a_script_sees_what_cloudkittys_scripts_see(module):
    heard = []
    module.listen(lambda name, text: heard.append((name, text)))
    rated(module, "import json\nprint(json.dumps(data, default=str))")
    assert heard[0][0] == "script 0"
    seen = json.loads(heard[0][1])
    assert seen["period"] == {"begin": str(HOUR.begin), "end": str(HOUR.end)}
    assert seen["usage"]["volume"] == [{"vol": {"unit": "GiB", "qty": "100.000000000000"}, "rating": {"price": "0"},
                                        "groupby": {"project_id": "p", "id": "v"}, "metadata": {}}]
    assert seen["usage"]["compute"][1] == {
        "vol": {"unit": "instance", "qty": "2.000000000000"}, "rating": {"price": "0"},
        "groupby": {"project_id": "p", "id": "b"}, "metadata": {"flavor": "m1.large"}}
    rated(module, "p = data['usage']['volume'][0]\n"
                  "print({type(one).__name__ for one in (p['vol']['qty'], p['rating']['price'])})")
    assert heard[-1][1] == "{'Decimal'}\n"


def test_c51_a_point_that_a_script_does_not_touch_stays_unpriced_and_one_made_free_is_priced(module):
    found = prices(rated(module, """
points = data["usage"]["compute"]
points[0]["rating"]["price"] = 0
del points[1]["rating"]
"""))
    assert found == {("compute", "a"): 0, ("compute", "b"): None, ("compute", "c"): None, ("volume", "v"): None}
    assert rows(rated(module, "pass")) == rows(usage())


def test_the_price_that_is_there_is_the_one_an_earlier_script_has_set(module):
    found = prices(rated(module, "for p in data['usage']['volume']: p['rating']['price'] = 7",
                         "for p in data['usage']['volume']: p['rating']['price'] *= 2"))
    assert found["volume", "v"] == 14
    assert found["compute", "a"] is None


def test_points_can_be_changed_dropped_and_added(module):
    found = rated(module, """
from decimal import Decimal

usage = data["usage"]
points = usage["compute"]
points[0]["vol"]["qty"] = Decimal("1.0000000000005")
points[1]["metadata"]["size"] = 8
del points[2]
usage["volume"] = []
usage["licence"] = [{"vol": {"unit": "piece", "qty": 3}, "rating": {"price": Decimal("0.3")},
                     "groupby": {"kind": "db"}, "metadata": {"note": "added"}}]
""")
    assert sorted(rows(found), key=str) == sorted([
        ("compute", "instance", Decimal("1.000000000000"), None, {"project_id": "p", "id": "a", "flavor": "m1.nano"}),
        ("compute", "instance", Decimal(2), None,
         {"project_id": "p", "id": "b", "flavor": "m1.large", "size": "8"}),
        ("licence", "piece", Decimal(3), Decimal("0.3"), {"kind": "db", "project_id": "p", "note": "added"}),
    ], key=str)


def test_points_that_a_script_makes_equal_are_added_up(module):
    found = rows(rated(module, """
for point in data["usage"]["compute"]:
    point["groupby"]["id"] = "all"
    point["metadata"] = {}
    if point["vol"]["qty"] > 1:
        point["rating"]["price"] = 5
"""))
    assert ("compute", "instance", Decimal("3.5"), Decimal(5), {"id": "all", "project_id": "p"}) in found


def test_prices_from_columns(module):
    found = prices(rated(module, """
from decimal import Decimal

costs = {"m1.nano": Decimal("0.35"), "m1.large": 2}

def rate(frame):
    if frame.metric == "volume":
        return None
    assert frame.unit == "instance" and len(frame) == 3 and frame.labels == ["flavor", "project_id", "id"]
    assert frame["nothing"] == ["", "", ""] and frame.price == [None, None, None]
    assert frame.period["begin"].hour == 10
    assert [frame.values("flavor")[code] for code in frame.codes("flavor")] == frame["flavor"]
    return [costs[flavor] * qty if flavor in costs else None for flavor, qty in zip(frame["flavor"], frame.qty)]
"""))
    assert found == {("compute", "a"): Decimal("0.35"), ("compute", "b"): 4, ("compute", "c"): None,
                     ("volume", "v"): None}


def test_a_function_called_rate_in_a_script_on_data_is_its_own_affair(module):
    found = prices(rated(module, """
def rate(item):
    return item["vol"]["qty"] * 2

for item in data["usage"]["compute"]:
    item["rating"] = {"price": rate(item)}
"""))
    assert found["compute", "b"] == 4


def test_both_forms_come_to_the_same(module):
    by_points = rated(module, "for p in data['usage']['compute']: p['rating']['price'] = p['vol']['qty'] / 3")
    by_columns = rated(module, "def rate(frame):\n    if frame.metric == 'compute':\n"
                               "        return [q / 3 for q in frame.qty]")
    assert rows(by_points) == rows(by_columns)
    assert prices(by_points)["compute", "a"] == Decimal("0." + "3" * 60)


def test_scripts_are_chosen_by_the_begin_of_the_period_and_run_by_order_then_name(module):
    def adding(letter):
        return f"for p in data['usage']['volume']: p['metadata']['by'] = p['metadata'].get('by', '') + '{letter}'"

    tariff = module.candidate([
        Script(name="z", text=adding("z"), order=-1), Script(name="b", text=adding("b")),
        Script(name="a", text=adding("a")), Script(name="over", text=adding("x"), valid=Validity(None, HOUR.begin)),
        Script(name="later", text=adding("y"), valid=Validity(HOUR.begin + timedelta(seconds=1))),
    ])
    labels = [row[4] for row in rows(tariff.rate("p", HOUR, usage())) if row[0] == "volume"]
    assert labels == [{"project_id": "p", "id": "v", "by": "zab"}]


def test_a_traceback_is_the_scripts_alone(module):
    with pytest.raises(Invalid) as caught:
        rated(module, "def price():\n    return 1 / 0\n\nprice()\n")
    assert str(caught.value) == (
        "script 'script 0': it failed:\nTraceback (most recent call last):\n"
        '  File "<script script 0>", line 4, in <module>\n    price()\n'
        '  File "<script script 0>", line 2, in price\n    return 1 / 0\n'
        "ZeroDivisionError: division by zero")


def test_what_does_not_compile_is_refused_with_line_and_reason(module):
    with pytest.raises(Invalid, match=r"^data: line 2: '\(' was never closed$"):
        module.check("x", "a = 1\nb = (")
    with pytest.raises(Invalid, match=r"^script 'x': line 1: invalid syntax$"):
        module.candidate([Script(name="x", text="1 1 =")])
    module.check("x", "pass")


def test_scripts_of_one_name_cannot_be_tried_together(module):
    with pytest.raises(Invalid, match="two scripts are called 'x'"):
        module.candidate([Script(name="x", text="1"), Script(name="x", text="2")])


# --- explanations ---------------------------------------------------------------------------------


def test_each_script_says_what_it_did_and_the_parts_add_up(module):
    tariff = module.candidate(named(
        "for p in data['usage']['compute']: p['rating']['price'] = p['vol']['qty'] / 3",
        "for p in data['usage']['compute']: p['rating']['price'] *= 2\n"
        "data['usage']['fee'] = [{'vol': {'unit': 'piece', 'qty': 1}, 'rating': {'price': 5}, 'groupby': {}}]",
        "pass"))
    found = tariff.explain("p", HOUR, usage())
    assert rows(found.frames) == rows(tariff.rate("p", HOUR, usage()))
    parts = {(frame.metric, row): own[row] for frame, own in zip(found.frames, found.parts, strict=True)
             for row in range(len(frame))}
    third, sixty = parts["compute", 0]
    assert (third.rule, sixty.rule) == ("script 0", "script 1")
    assert third.amount == sixty.amount == Decimal("0." + "3" * 60)
    assert third.what == f"script script 0: 1 at no price became 1 at 0.{'3' * 60}"
    assert parts["volume", 0] == ()
    (added,) = parts["fee", 0]
    assert (added.amount, added.rule) == (5, "script 1")


# --- kept scripts ---------------------------------------------------------------------------------


def test_c17_c19_a_period_can_be_rated_by_the_scripts_of_any_change(sqlite):
    module = built(sqlite)
    try:
        scripts = Scripts(sqlite, module.check)

        def text(price):
            return f"for p in data['usage']['volume']: p['rating']['price'] = {price}"

        def change(at):
            return Change(at, "me", "api")

        def price(number):
            return prices(module.tariff(number).rate("p", HOUR, usage()))["volume", "v"]

        def latest():
            with sqlite.read() as tx:
                return rules.latest(tx)

        made = scripts.add(ScriptRequest(name="s", data=text(1), start=NOW), change(NOW))
        first = latest()
        scripts.remove(made.id, change(HOUR.begin - timedelta(seconds=1)))
        gone = latest()
        scripts.add(ScriptRequest(name="s", data=text(2)), change(HOUR.begin))
        assert [price(0), price(first), price(gone), price(latest())] == [None, 1, None, 2]
        (one,) = module.provenance(first, [f"{made.id}/1", "bogus"]).values()
        assert (one.name, one.kind, one.version, one.author, one.recorded) == ("s", "script", 1, "me", NOW)
        assert module.provenance(0, [f"{made.id}/1"]) == {}
    finally:
        module.close()


class TestPyscripts(RatingModuleContract):
    @pytest.fixture
    def document(self):
        return [Script(name="s", text="for p in data['usage']['contract_other_usage']: p['rating']['price'] = 1")]

    @pytest.fixture
    def rated(self, sqlite):
        module = built(sqlite)
        text = f"for p in data['usage'].get({METRIC!r}, []): p['rating']['price'] = p['vol']['qty'] / 7"
        Scripts(sqlite, module.check).add(ScriptRequest(name="s", data=text, start=NOW), Change(NOW, "me", "api"))
        with sqlite.read() as tx:
            yield module, rules.latest(tx)
        module.close()
