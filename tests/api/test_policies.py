"""Who may do what by default, for every rule; and what a policy file changes."""
from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from oslo_config import cfg
from oslo_context.context import RequestContext
from oslo_policy import generator

from cloudkitty_like.api.policies import AnonymousContext, Policy, list_rules
from cloudkitty_like.domain.errors import Forbidden, Invalid, Unavailable

SAMPLE = Path(__file__).parents[2] / "etc" / "cloudkitty_like" / "policy.yaml.sample"

ADMIN, ANYONE, READER = "admin", "anyone", "reader of the project, or admin"
RULES = {
    "collector:list_mappings": ADMIN, "collector:get_mapping": ADMIN, "collector:manage_mapping": ADMIN,
    "collector:get_state": ADMIN, "collector:update_state": ADMIN,
    "info:list_services_info": ANYONE, "info:get_service_info": ANYONE,
    "info:list_metrics_info": ANYONE, "info:get_metric_info": ANYONE, "info:get_config": ANYONE,
    "rating:list_modules": ADMIN, "rating:get_module": ADMIN, "rating:update_module": ADMIN,
    "rating:quote": ANYONE, "rating:module_config": ADMIN, "rating:simulate": ADMIN,
    "report:list_tenants": ADMIN, "report:get_summary": READER, "report:get_total": READER,
    "storage:list_data_frames": READER,
    "dataframes:add": ADMIN, "dataframes:get": READER, "explanation:get": READER,
    "v2_rating:list_modules": ADMIN, "v2_rating:get_module": ADMIN, "v2_rating:update_module": ADMIN,
    "scope:get_state": ADMIN, "scope:reset_state": ADMIN, "scope:patch_state": ADMIN, "scope:post_state": ADMIN,
    "summary:get_summary": READER,
    "schedule:task_reprocesses": ADMIN, "schedule:get_task_reprocesses": ADMIN,
    "schedule:cancel_task_reprocesses": ADMIN, "schedule:undo_task_reprocesses": ADMIN, "history:get": ADMIN,
    "metrics:get": ADMIN, "healthcheck:details": ADMIN,
}
BASE = {"context_is_admin", "admin_or_owner", "default", "project_member_api", "project_reader_api",
        "project_member_or_admin", "project_reader_or_admin"}

OWN: Mapping[str, str | None] = {"project_id": "web"}
FOREIGN: Mapping[str, str | None] = {"project_id": "db"}
NOTHING: Mapping[str, str | None] = {"project_id": None}
TARGETS = {"own": OWN, "foreign": FOREIGN, "none": NOTHING, "empty": {"project_id": ""}, "absent": {},
           "None": {"project_id": "None"}}

CALLERS = {
    "admin": RequestContext(user_id="1", project_id="admin", roles=["admin", "member", "reader"]),
    "reader": RequestContext(user_id="2", project_id="web", roles=["reader"]),
    "member": RequestContext(user_id="3", project_id="web", roles=["member", "reader"]),
    "member who is no reader": RequestContext(user_id="4", project_id="web", roles=["member"]),
    "foo": RequestContext(user_id="5", project_id="web", roles=["foo"]),
    "nobody": RequestContext(user_id="6"),
    "reader of no project": RequestContext(user_id="7", roles=["reader", "member"]),
    "reader of an empty project": RequestContext(user_id="8", project_id="", roles=["reader", "member"]),
}
MAY = {
    ADMIN: {("admin", target) for target in TARGETS},
    ANYONE: {(caller, target) for caller in CALLERS for target in TARGETS},
    READER: {("admin", target) for target in TARGETS} | {("reader", "own"), ("member", "own")},
}

each_rule = pytest.mark.parametrize("rule", RULES)


def configuration(directory: Path | None = None, text: str = "") -> cfg.ConfigOpts:
    """An empty configuration, or one whose file is in that directory, where policies are looked for too."""
    conf, arguments = cfg.ConfigOpts(), []
    if directory is not None:
        path = directory / "cloudkitty_like.conf"
        path.write_text(text, encoding="utf-8")
        arguments = ["--config-file", str(path)]
    conf(arguments, project="cloudkitty_like", default_config_files=[], default_config_dirs=[])
    return conf


def with_file(directory: Path, text: str) -> Policy:
    (directory / "policy.yaml").write_text(text, encoding="utf-8")
    return Policy(configuration(directory))


@pytest.fixture(scope="module")
def policy() -> Policy:
    return Policy(configuration())


def allowed(policy: Policy, rule: str, context: RequestContext, target: Mapping[str, str | None]) -> bool:
    try:
        policy.authorize(rule, context, target)
    except Forbidden:
        return False
    return True


# --- the defaults -------------------------------------------------------------------------------

def test_every_rule_is_there_and_no_other() -> None:
    assert {rule.name for rule in list_rules()} == set(RULES) | BASE


def test_every_rule_is_of_a_project_and_says_what_it_is_for() -> None:
    assert [rule.name for rule in list_rules() if rule.scope_types != ["project"] or not rule.description] == []
    assert [rule.name for rule in list_rules() if rule.deprecated_rule] == []


@each_rule
def test_a_rule_allows_whom_it_should_and_nobody_else(policy: Policy, rule: str) -> None:
    may = {(caller, target) for caller, context in CALLERS.items() for target, asked in TARGETS.items()
           if allowed(policy, rule, context, asked)}
    assert may == MAY[RULES[rule]]


def test_s9_the_list_of_modules_of_the_second_api_is_for_admins(policy: Policy) -> None:
    assert not allowed(policy, "v2_rating:list_modules", CALLERS["reader"], OWN)
    assert not allowed(policy, "v2_rating:list_modules", CALLERS["foo"], {})


@pytest.mark.parametrize("caller", ["nobody", "reader of no project", "reader of an empty project"])
@pytest.mark.parametrize("target", ["none", "empty", "absent", "None"])
@pytest.mark.parametrize("check", [
    "rule:project_reader_api", "rule:project_member_api", "rule:admin_or_owner", "project_id:%(project_id)s"])
def test_s13_no_project_never_equals_no_project(tmp_path: Path, caller: str, target: str, check: str) -> None:
    policy = with_file(tmp_path, f'"report:get_total": "{check}"\n')
    assert not allowed(policy, "report:get_total", CALLERS[caller], TARGETS[target])


def test_s13_no_project_is_not_a_project_called_none(tmp_path: Path) -> None:
    policy = with_file(tmp_path, '"report:get_total": "\'None\':%(project_id)s"\n')
    assert not allowed(policy, "report:get_total", CALLERS["reader"], NOTHING)


@each_rule
@pytest.mark.parametrize("scope", [{"system_scope": "all"}, {"domain_id": "default"}], ids=["system", "domain"])
def test_s15_a_token_of_a_domain_or_of_the_system_is_forbidden(
        policy: Policy, rule: str, scope: dict[str, str]) -> None:
    context = RequestContext(user_id="1", roles=["admin", "reader"], **scope)
    with pytest.raises(Forbidden, match=f"^{rule} takes the token of a project"):
        policy.authorize(rule, context, OWN)
    assert not policy.is_admin(context)


def test_who_is_an_admin(policy: Policy) -> None:
    assert [name for name, context in CALLERS.items() if policy.is_admin(context)] == ["admin"]


@each_rule
def test_without_authentication_everybody_may_do_everything(tmp_path: Path, rule: str) -> None:
    closed = with_file(tmp_path, f'"{rule}": "!"\n"context_is_admin": "!"\n')
    assert allowed(closed, rule, AnonymousContext(), {})
    assert closed.is_admin(AnonymousContext())


def test_no_attribute_of_a_context_makes_an_admin(policy: Policy) -> None:
    context = RequestContext(user_id="2", project_id="web", is_admin=True, is_admin_project=True, roles=["reader"])
    assert not policy.is_admin(context)
    assert not allowed(policy, "rating:module_config", context, OWN)


def test_a_refusal_says_nothing_but_the_rule(policy: Policy) -> None:
    with pytest.raises(Forbidden) as refused:
        policy.authorize("report:get_total", RequestContext(user_id="me", project_id="mine"), {"project_id": "yours"})
    assert str(refused.value) == "the policy does not allow report:get_total"
    assert not refused.value.hint


def test_a_rule_that_does_not_exist_is_a_bug_and_is_loud(policy: Policy) -> None:
    with pytest.raises(Exception, match="no:such_rule") as raised:
        policy.authorize("no:such_rule", CALLERS["admin"], {})
    assert not isinstance(raised.value, Forbidden)


# --- policy files -------------------------------------------------------------------------------

def test_a_file_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    policy = with_file(tmp_path, '"summary:get_summary": "role:foo"\n"rating:quote": "!"\n')
    assert allowed(policy, "summary:get_summary", CALLERS["foo"], FOREIGN)
    assert not allowed(policy, "summary:get_summary", CALLERS["admin"], OWN)
    assert not allowed(policy, "rating:quote", CALLERS["admin"], OWN)
    assert allowed(policy, "report:get_total", CALLERS["reader"], OWN)


def test_s17_admins_can_be_those_of_one_project(tmp_path: Path) -> None:
    policy = with_file(tmp_path, '"context_is_admin": "role:admin and project_id:admin"\n')
    elsewhere = RequestContext(user_id="9", project_id="web", roles=["admin"])
    assert policy.is_admin(CALLERS["admin"])
    assert not policy.is_admin(elsewhere)
    assert not allowed(policy, "scope:get_state", elsewhere, OWN)


def test_an_old_file_of_owners_holds(tmp_path: Path) -> None:
    policy = with_file(tmp_path, '"report:get_total": "rule:admin_or_owner"\n')
    assert allowed(policy, "report:get_total", CALLERS["foo"], OWN)
    assert not allowed(policy, "report:get_total", CALLERS["foo"], FOREIGN)


def test_a_file_in_the_directory_of_policies_is_read(tmp_path: Path) -> None:
    (tmp_path / "policy.d").mkdir()
    (tmp_path / "policy.d" / "quote.yaml").write_text('"rating:quote": "role:foo"\n')
    policy = Policy(configuration(tmp_path))
    assert allowed(policy, "rating:quote", CALLERS["foo"], {})
    assert not allowed(policy, "rating:quote", CALLERS["reader"], {})


@pytest.mark.parametrize(("text", "reason"), [
    ('"rating:quote": "rule:context_is_amdin"\n', "rating:quote"),
    ('"a": "rule:b"\n"b": "rule:a"\n', "not well defined"),
    ('"rating:quote": "role:admin or or"\n', "rating:quote: 'role:admin or or' is no rule"),
    ('"rating:quote": [\n', "policy_file"),
    ("- a list\n", "policy_file"),
    ("just a text\n", "policy_file"),
])
def test_a_wrong_file_is_refused_at_the_start(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(Invalid, match=r"^\[oslo_policy\] policy_file: ") as refused:
        with_file(tmp_path, text)
    assert reason in str(refused.value)


def test_a_file_that_was_asked_for_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"policy_file: rights\.yaml: there is no such file"):
        Policy(configuration(tmp_path, "[oslo_policy]\npolicy_file = rights.yaml\n"))


def rewritten(directory: Path, text: str) -> None:
    """The policy file with another content, and later by the clock of the file system."""
    path = directory / "policy.yaml"
    later = path.stat().st_mtime + 10
    path.write_text(text, encoding="utf-8")
    os.utime(path, (later, later))


def test_a_changed_file_holds_without_a_restart(tmp_path: Path) -> None:
    policy = with_file(tmp_path, '"rating:quote": "!"\n')
    assert not allowed(policy, "rating:quote", CALLERS["reader"], {})
    rewritten(tmp_path, '"rating:quote": "role:reader"\n')
    assert allowed(policy, "rating:quote", CALLERS["reader"], {})


def test_a_file_that_becomes_unreadable_leaves_the_rules_that_were(tmp_path: Path) -> None:
    policy = with_file(tmp_path, '"rating:quote": "role:foo"\n')
    rewritten(tmp_path, '"rating:quote": [\n')
    with pytest.raises(Unavailable, match="policy file"):
        policy.authorize("rating:quote", CALLERS["foo"], {})
    assert allowed(policy, "rating:quote", CALLERS["foo"], {})
    assert not allowed(policy, "rating:quote", CALLERS["reader"], {})


def test_a_reference_that_is_misspelled_later_allows_nobody(tmp_path: Path) -> None:
    policy = with_file(tmp_path, '"rating:quote": "role:foo"\n')
    rewritten(tmp_path, '"rating:quote": "rule:context_is_amdin"\n')
    assert not allowed(policy, "rating:quote", CALLERS["admin"], {})


def test_the_sample_in_the_tree_is_what_is_generated(tmp_path: Path) -> None:
    made = tmp_path / "policy.yaml"
    generator.generate_sample(["--namespace", "cloudkitty_like", "--output-file", str(made)], cfg.ConfigOpts())
    assert SAMPLE.read_text(encoding="utf-8") == made.read_text(encoding="utf-8")
