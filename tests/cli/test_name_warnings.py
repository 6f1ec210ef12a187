"""Typos in names are told by every command that looks at them, and keep none from doing its work."""
from __future__ import annotations

import json

from tests.cli.small import METRICS, Site

TYPO = """\
services:
  instance:
  - {field: flavr, value: small, cost: 0.5}
  - {field: flavor, value: small, cost: -1, scope: alhpa}
  instnace:
  - {cost: 1, type: rate}
"""
WARNINGS = [
    "rules for the label 'flavr' of 'instance' price nothing: no usage of it has that label; did you mean 'flavor'?",
    "rules for 'instnace' price nothing: neither metrics.yml nor posted usage has it; did you mean 'instance'?",
    ("rule instance, flavor=small, scope alhpa: a flat mapping of negative cost never applies; "
     "a discount is a rate below 1"),
    ("rule instnace: a rate multiplies the flat cost of its own group, and no flat rule there can meet the same "
     "points: it comes to 0"),
]
SCOPE = "rules for the scope 'alhpa' price nothing: there is no such scope; did you mean 'alpha'?"


def warned(text: str) -> list[str]:
    return [line.removeprefix("cloudkitty-like: warning: ") for line in text.splitlines()]


def test_i8_m4_rules_apply_warns_and_records(site: Site) -> None:
    site.here.ok("dbsync", "upgrade")
    (site.path / "rules.yml").write_text(TYPO)
    for options in (("--dry-run",), (), ()):
        ran = site.here("rules", "apply", site.path / "rules.yml", *options)
        assert ran.code == 0
        assert sorted(warned(ran.err)) == sorted(WARNINGS)
    assert len(site.here.json("rules", "list")) == 3


def test_i8_m4_rules_apply_needs_no_metrics_yml_and_no_source(site: Site) -> None:
    site.here.ok("dbsync", "upgrade")
    (site.path / "metrics.yml").unlink()
    site.here.ok("rules", "apply", site.path / "rules.yml")


def test_i8_m4_metrics_check_compares_the_file_with_the_source_and_the_rules(site: Site) -> None:
    assert site.here.ok("metrics", "check") == "1 metric: nothing is wrong.\n"
    site.prepared()
    assert site.here.ok("metrics", "check") == "1 metric: nothing is wrong.\n"
    other = site.path / "other.yml"
    other.write_text("metrics: {instance: {unit: hour, groupby: [flavour]}, instnace: {unit: hour}}\n")
    ran = site.here("metrics", "check", other)
    assert (ran.code, ran.out) == (0, "2 metrics: nothing is wrong, but 3 names may be.\n")
    assert warned(ran.err) == [
        "metrics.yml: metric 'instance': no series of it has the label 'flavour'; did you mean 'flavor'?",
        "metrics.yml: metric 'instnace': the source has nothing of this name; did you mean 'instance'?",
        ("rules for the label 'flavor' of 'instance' price nothing: no usage of it has that label; "
         "did you mean 'flavour'?")]
    other.write_text("metrics: {instance: {unit: hour, grouby: [flavor]}}\n")
    ran = site.here("metrics", "check", other)
    assert (ran.code, "did you mean 'groupby'" in ran.err) == (1, True)
    ran = site.here("metrics", "check", site.path / "no.yml")
    assert (ran.code, "there is no such file" in ran.err) == (1, True)


def test_i8_m4_a_row_of_a_metric_that_is_not_defined_is_told(site: Site) -> None:
    with (site.path / "usage.csv").open("a") as file:
        file.write("2026-03-01T00:00:00Z,instanse,1,alpha,small\n")
    site.prepared()
    expected = ("the source has usage of 'instanse', which metrics.yml does not have: it is not rated; "
                "did you mean 'instance'?")
    assert warned(site.here("metrics", "check").err) == [expected]
    assert ("names", "warning", expected) in rows(site)


def rows(site: Site) -> list[tuple[str, str, str]]:
    ran = site.here("status", "--json")
    assert ran.code == 0
    return [(row["check"], row["state"], row["detail"]) for row in json.loads(ran.out)]


def test_i8_m4_status_has_them_in_rows_of_their_own_and_is_well_all_the_same(site: Site) -> None:
    site.rated()
    (names,) = [row for row in rows(site) if row[0] == "names"]
    assert names[1] == "ok"
    (site.path / "rules.yml").write_text(TYPO)
    assert sorted(warned(site.here("rules", "apply", site.path / "rules.yml").err)) == sorted([*WARNINGS, SCOPE])
    assert {row[2] for row in rows(site) if row[:2] == ("names", "warning")} == {*WARNINGS, SCOPE}
    (site.path / "metrics.yml").write_text(METRICS.replace("flavor", "flavor, image"))
    assert [row[2] for row in rows(site) if "image" in row[2]] == [
        "metrics.yml: metric 'instance': no series of it has the label 'image'"]


def test_i8_m4_many_are_cut_short(site: Site) -> None:
    site.here.ok("dbsync", "upgrade")
    (site.path / "rules.yml").write_text(
        "services:\n" + "".join(f"  nothing{n}: [{{cost: 1}}]\n" for n in range(50)))
    lines = warned(site.here("rules", "apply", site.path / "rules.yml").err)
    assert (len(lines), lines[-1]) == (21, "30 more like these")
    assert ("names", "warning", "30 more; see 'cloudkitty-like metrics check'") in rows(site)
