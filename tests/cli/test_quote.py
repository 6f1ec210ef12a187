"""A quote of what never comes is told: a label that usage does not have, a metric that does not exist."""
from __future__ import annotations

import json

from tests.cli.small import Site


def test_i8_m2_a_label_that_the_metric_does_not_read_is_a_warning_that_names_it(site: Site) -> None:
    site.prepared()
    ran = site.here("quote", "--metric", "instance", "--qty", "2", "--label", "flavr=small", "--label", "flavor=small",
                    "--scope", "alpha")
    assert (ran.code, ran.out.split()[-1]) == (0, "1")
    assert ran.err == ("cloudkitty-like: warning: no usage of 'instance' has the label 'flavr', so what is quoted with "
                       "it never comes; did you mean 'flavor'?\n")
    assert json.loads(site.here("quote", "--metric", "instance", "--qty", "2", "--label", "flavr=small",
                                "--json").out)["resources"] == [{"price": None}]


def test_i8_m2_a_metric_that_does_not_exist_is_an_error(site: Site) -> None:
    site.prepared()
    ran = site.here("quote", "--metric", "instnace", "--qty", "2")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == ("cloudkitty-like: error: --metric: no metric is called 'instnace'; "
                       "did you mean 'instance'?\n")
    file = site.path / "quote.json"
    file.write_text('[{"service": "instance", "volume": 1}, {"service": "nothing", "volume": 1}]')
    ran = site.here("quote", "--file", file)
    assert (ran.code, ran.err) == (1, f"cloudkitty-like: error: {file}: [1]: service: no metric is called 'nothing'\n")


def test_i8_m2_a_service_that_only_rules_know_is_priced_with_a_warning(site: Site) -> None:
    site.prepared()
    (site.path / "rules.yml").write_text("services: {support: [{cost: 3}]}\n")
    site.here("rules", "apply", site.path / "rules.yml")
    ran = site.here("quote", "--metric", "support", "--qty", "2")
    assert (ran.code, ran.out.split()[-1]) == (0, "6")
    assert "warning: only rules know 'support'" in ran.err
