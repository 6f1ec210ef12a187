"""CloudKitty's client 6.2, every one of its sub-commands, against a live API over the sample's ledger."""
from __future__ import annotations

import json
import subprocess
from hashlib import sha512
from pathlib import Path
from typing import Any

import pytest

from tests.clients import BOTH, CLAIMED, PROGRAM, Cloudkitty, installed, known, options, runs
from tests.clients import cloudkitty as cloudkitty  # the fixtures
from tests.clients import sample as sample
from tests.clients import url as url

OCTOBER_V1 = ("-b", "2026-10-01T00:00:00", "-e", "2026-11-01T00:00:00")
OCTOBER = ("-b", "2026-10-01T00:00:00Z", "-e", "2026-11-01T00:00:00Z")
HOUR = ("-b", "2026-10-01T00:00:00Z", "-e", "2026-10-01T01:00:00Z")
TOTAL = 816.497146654993
LATER = "2999-01-01T00:00:00"


@pytest.fixture
def hashmap(cloudkitty: Cloudkitty, request: pytest.FixtureRequest) -> dict[str, str]:
    """Ids of a service, a field and a group of the test's own."""
    name = request.node.name
    service = cloudkitty.row("hashmap service create", f"service of {name}")["Service ID"]
    return {
        "service": service, "field": cloudkitty.row("hashmap field create", service, "flavor")["Field ID"],
        "group": cloudkitty.row("hashmap group create", f"group of {name}")["Group ID"]}


PREPARED = ("hashmap service create", "hashmap field create", "hashmap group create")


@pytest.mark.parametrize("version", BOTH)
def test_no_command_of_the_client_is_left_out(version: str) -> None:
    installed()
    assert set(known(f"cloudkittyclient_v{version}")) == CLAIMED[version]


@pytest.mark.parametrize("version", BOTH)
def test_openstack_rating_has_the_same_commands(version: str) -> None:
    installed()
    same = {name.removeprefix("rating "): target for name, target in known(f"openstack.rating.v{version}").items()}
    assert same == known(f"cloudkittyclient_v{version}")


@pytest.mark.slow
def test_the_program_itself_is_answered(url: str) -> None:
    run = subprocess.run([PROGRAM, *options(url, "2"), "module", "list", "-f", "json"], capture_output=True, text=True,
                         check=True)
    assert [module["Module"] for module in json.loads(run.stdout)] == ["hashmap", "noop", "pyscripts"]


# --- modules and metrics ----------------------------------------------------------------------------

@runs("module list", "module get", "module enable", "module disable", "module set priority")
def test_modules_are_switched_and_moved(cloudkitty: Cloudkitty) -> None:
    assert cloudkitty.rows("module list")[0] == {"Module": "hashmap", "Enabled": True, "Priority": 1}
    assert cloudkitty.row("module enable noop") == {"Module": "noop", "Enabled": True, "Priority": 1}
    assert cloudkitty.row("module set priority noop 7") == {"Module": "noop", "Enabled": True, "Priority": 7}
    assert cloudkitty.row("module disable noop")["Enabled"] is False
    assert cloudkitty.row("module get noop") == {"Module": "noop", "Enabled": False, "Priority": 7}
    assert cloudkitty.row("module set priority noop 1")["Priority"] == 1
    assert "HTTP 404" in cloudkitty("module get nobody").err


@runs("info config get", "info metric list", "info metric get")
def test_metrics_and_their_file_are_shown(cloudkitty: Cloudkitty) -> None:
    (section,) = cloudkitty.rows("info config get")
    assert section["Section"] == "metrics"
    assert section["Value"]["volume.size"]["alt_name"] == "volume"
    volume = {"Metric": "volume", "Unit": "GiB", "Metadata": ["name"]}
    assert volume in cloudkitty.rows("info metric list")
    assert cloudkitty.row("info metric get volume") == volume


@runs("collector-mapping create", "collector-mapping get", "collector-mapping list", "collector-mapping delete")
def test_collector_mappings_are_kept(cloudkitty: Cloudkitty) -> None:
    mapping = {"Service": "compute", "Collector": "gnocchi"}
    assert cloudkitty.row("collector-mapping create compute gnocchi") == mapping
    assert cloudkitty.row("collector-mapping get compute") == mapping
    assert cloudkitty.rows("collector-mapping list --collector gnocchi") == [mapping]
    assert cloudkitty.rows("collector-mapping list --collector other") == []
    cloudkitty.ok("collector-mapping delete compute")
    assert "HTTP 404" in cloudkitty("collector-mapping get compute").err


@runs("collector enable", "collector disable", "collector state get")
def test_the_state_of_a_collector_is_kept(cloudkitty: Cloudkitty) -> None:
    assert cloudkitty.row("collector enable gnocchi") == {"Collector": "gnocchi", "State": True}
    assert cloudkitty.row("collector state get gnocchi")["State"] is True
    assert cloudkitty.row("collector disable gnocchi") == {"Collector": "gnocchi", "State": False}


# --- hashmap ----------------------------------------------------------------------------------------

@runs("hashmap mapping-types list")
def test_there_are_two_types_of_rules(cloudkitty: Cloudkitty) -> None:
    assert [row["Mapping types"] for row in cloudkitty.rows("hashmap mapping-types list")] == ["flat", "rate"]


@runs(*PREPARED, "hashmap service get", "hashmap service list", "hashmap service delete", "hashmap field get",
      "hashmap field list", "hashmap field delete", "hashmap group list", "hashmap group delete")
def test_services_fields_and_groups_come_and_go(cloudkitty: Cloudkitty, hashmap: dict[str, str]) -> None:
    service, field, group = hashmap["service"], hashmap["field"], hashmap["group"]
    name = cloudkitty.row("hashmap service get", service)["Name"]
    assert name.startswith("service of")
    assert {"Name": name, "Service ID": service} in cloudkitty.rows("hashmap service list")
    assert "HTTP 409" in cloudkitty("hashmap service create", name).err
    shown = {"Name": "flavor", "Field ID": field, "Service ID": service}
    assert cloudkitty.row("hashmap field get", field) == shown
    assert cloudkitty.rows("hashmap field list", service) == [shown]
    assert group in [row["Group ID"] for row in cloudkitty.rows("hashmap group list")]
    cloudkitty.ok("hashmap field delete", field)
    cloudkitty.ok("hashmap group delete", group)
    cloudkitty.ok("hashmap service delete", service)
    assert service not in [row["Service ID"] for row in cloudkitty.rows("hashmap service list")]
    assert "HTTP 404" in cloudkitty("hashmap field get", field).err
    assert group not in [row["Group ID"] for row in cloudkitty.rows("hashmap group list")]


@runs(*PREPARED, "hashmap mapping create", "hashmap mapping get", "hashmap mapping list", "hashmap mapping update",
      "hashmap mapping delete")
def test_mappings_are_made_changed_and_deleted(cloudkitty: Cloudkitty, hashmap: dict[str, str]) -> None:
    service, field = hashmap["service"], hashmap["field"]
    named = f"price {service[:13]}"
    made = cloudkitty.row("hashmap mapping create -t flat --value m1.tiny -p website --description dear", "--field-id",
                          field, "--name", named, "--start", LATER, "--end", "2999-02-01", "0.05")
    assert (made["Mapping Name"], made["Mapping Start Date"], made["Mapping End Date"]) == (
        named, LATER, "2999-02-01T23:59:59")
    changed = cloudkitty.row("hashmap mapping update --cost 0.07 --description dearer --end 2999-03-01", "--start",
                             LATER, made["Mapping ID"])
    assert changed == {
        "Mapping ID": made["Mapping ID"], "Value": "m1.tiny", "Cost": "0.07", "Type": "flat", "Field ID": field,
        "Service ID": None, "Group ID": None, "Project ID": "website"}
    assert cloudkitty.row("hashmap mapping get", made["Mapping ID"]) == changed
    listed = ("hashmap mapping list", "--field-id", field)
    assert cloudkitty.rows(*listed) == [changed]
    assert cloudkitty.rows(*listed, "-p", "website", "--filter-tenant", "--no-group") == [changed]
    assert cloudkitty.rows(*listed, "-p", "shop", "--filter-tenant") == []
    cloudkitty.ok("hashmap mapping delete", made["Mapping ID"])
    assert cloudkitty.rows(*listed) == []


@runs(*PREPARED, "hashmap mapping create", "hashmap mapping update", "hashmap mapping list",
      "hashmap group mappings get", "hashmap group delete")
def test_a_running_mapping_is_ended_and_its_group_deleted(cloudkitty: Cloudkitty, hashmap: dict[str, str]) -> None:
    service, group = hashmap["service"], hashmap["group"]
    made = cloudkitty.row("hashmap mapping create -t rate", "-s", service, "-g", group, "1.1")
    assert (made["Cost"], made["Type"], made["Group ID"], made["Project ID"]) == ("1.1", "rate", group, None)
    (listed,) = cloudkitty.rows("hashmap mapping list", "-s", service, "-g", group)
    assert cloudkitty.rows("hashmap group mappings get", group) == [listed]
    assert "only the attribute [end]" in cloudkitty("hashmap mapping update --cost 2", made["Mapping ID"]).err
    assert cloudkitty.row("hashmap mapping update", "--end", LATER, made["Mapping ID"]) == listed
    assert "has a defined end date" in cloudkitty("hashmap mapping update --end 2999-09-09", made["Mapping ID"]).err
    cloudkitty.ok("hashmap group delete --recursive", group)
    assert cloudkitty.rows("hashmap mapping list", "-s", service) == []


@runs(*PREPARED, "hashmap threshold create", "hashmap threshold get", "hashmap threshold list",
      "hashmap threshold update", "hashmap threshold delete", "hashmap group thresholds get")
def test_thresholds_are_made_changed_and_deleted(cloudkitty: Cloudkitty, hashmap: dict[str, str]) -> None:
    service, field, group = hashmap["service"], hashmap["field"], hashmap["group"]
    made = cloudkitty.row("hashmap threshold create -p website -t rate 10 0.9", "-s", service, "-g", group)
    assert made | {"Threshold ID": ""} == {
        "Threshold ID": "", "Level": "10", "Cost": "0.9", "Type": "rate", "Field ID": None, "Service ID": service,
        "Group ID": group, "Project ID": "website"}
    assert cloudkitty.rows("hashmap group thresholds get", group) == [made]
    changed = cloudkitty.row("hashmap threshold update -l 20 --cost 0.8", made["Threshold ID"])
    assert changed == made | {"Level": "20", "Cost": "0.8"}
    assert cloudkitty.row("hashmap threshold get", made["Threshold ID"]) == changed
    other = cloudkitty.row("hashmap threshold create --field-id", field, "2.5", "0.01")
    assert cloudkitty.rows("hashmap threshold list --field-id", field, "--no-group") == [other]
    assert cloudkitty.rows("hashmap threshold list -p website --filter-tenant", "-s", service, "-g", group) == [changed]
    cloudkitty.ok("hashmap threshold delete", made["Threshold ID"])
    assert cloudkitty.rows("hashmap threshold list", "-s", service) == []


@runs("pyscript create", "pyscript delete", "pyscript get", "pyscript list", "pyscript update")
def test_a_script_that_has_not_begun_is_made_changed_and_deleted(cloudkitty: Cloudkitty, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("price = 'é'\n")
    made = cloudkitty.row("pyscript create later", str(tmp_path / "script.py"), "--start", LATER, "--end",
                          "2999-02-01", "--description", "a first one")
    assert made | {"Script ID": ""} == {
        "Name": "later", "Script ID": "", "Checksum": sha512("price = 'é'\n".encode()).hexdigest(),
        "Data": "price = 'é'\n", "Script Start Date": LATER, "Script End Date": "2999-02-01T23:59:59",
        "Script Description": "a first one"}
    assert cloudkitty.row("pyscript get", made["Script ID"]) == made
    assert cloudkitty.rows("pyscript list") == [made]
    (listed,) = cloudkitty.rows("pyscript list -n")
    assert listed == made | {"Data": ""} or listed == made | {"Data": None}
    changed = cloudkitty.row("pyscript update -n soon --start 2998-01-01 --end 2998-02-01", made["Script ID"], "-d",
                             "a = 1", "--description", "another one")
    assert changed == {
        "Name": "soon", "Script ID": made["Script ID"], "Checksum": sha512(b"a = 1").hexdigest(), "Data": "a = 1",
        "Script Start Date": "2998-01-01T00:00:00", "Script End Date": "2998-02-01T23:59:59",
        "Script Description": "another one"}
    assert cloudkitty.row("pyscript get", made["Script ID"]) == changed
    cloudkitty.ok("pyscript delete", made["Script ID"])
    assert cloudkitty.rows("pyscript list") == []


@runs("pyscript create", "pyscript delete", "pyscript get", "pyscript list", "pyscript update")
def test_a_running_script_is_ended_and_what_is_wrong_is_told(cloudkitty: Cloudkitty) -> None:
    made = cloudkitty.row("pyscript create running", "a = 0")
    identity = made["Script ID"]
    assert f"Script running already exists (UUID: {identity})" in cloudkitty("pyscript create running x").err
    assert "data: line 1: " in cloudkitty("pyscript create broken (").err
    assert "only the attribute [end]" in cloudkitty("pyscript update", identity, "-d", "a = 1").err
    ended = cloudkitty.row("pyscript update", identity, "--end", "3000-01-01T23:59:59")
    assert ended == made | {"Script End Date": "3000-01-01T23:59:59"}
    assert "has a defined end date" in cloudkitty("pyscript update", identity, "--end", "3000-02-01").err
    assert cloudkitty.rows("pyscript list") == [ended]
    cloudkitty.ok("pyscript delete", identity)
    assert cloudkitty("pyscript update", identity).code == 1       # which the client does not find words for
    for line in ("pyscript get", "pyscript delete"):
        ran = cloudkitty(line, identity)
        assert (ran.code, ran.out) == (1, "")
        assert f"No such script: None (UUID: {identity})" in ran.err


# --- what was used, and what it costs ------------------------------------------------------------------

@runs("report tenant list")
def test_the_scopes_of_a_time_are_listed(cloudkitty: Cloudkitty) -> None:
    rows = cloudkitty.rows("report tenant list", *OCTOBER_V1)
    assert [row["Tenant ID"] for row in rows] == ["laboratory", "shop", "start-up", "website"]


@runs("total get", versions=("1",))
def test_the_total_is_that_of_the_ledger(cloudkitty: Cloudkitty) -> None:
    def total(*arguments: str) -> float:
        found: dict[str, float] = json.loads(cloudkitty.ok("total get -f json", *OCTOBER_V1, *arguments))
        return found["Total"]

    assert total("--all-tenants") == total("--all-tenants", "-g", "res_type") == TOTAL
    assert total("-t", "website", "-s", "volume") == 3.72
    assert total("-t", "nobody") == 0


@runs("summary get", versions=("1",))
def test_the_summary_of_v1_has_every_digit(cloudkitty: Cloudkitty) -> None:
    window = {"Begin Time": "2026-10-01T00:00:00", "End Time": "2026-11-01T00:00:00"}
    assert cloudkitty.row("summary get --all-tenants", *OCTOBER_V1) == window | {
        "Tenant ID": "ALL", "Resource Type": "ALL", "Rate": "816.497146654993"}
    rows = cloudkitty.rows("summary get -a -g res_type tenant_id", *OCTOBER_V1)
    assert window | {"Tenant ID": "website", "Resource Type": "volume", "Rate": "3.72"} in rows
    assert cloudkitty.row("summary get -t website -s volume", *OCTOBER_V1)["Rate"] == "3.72"


@runs("summary get", versions=("2",))
def test_the_summary_is_grouped_filtered_and_paged(cloudkitty: Cloudkitty) -> None:
    rows = cloudkitty.rows("summary get -g project_id -g type", *OCTOBER)
    assert {"Begin": "2026-10-01T00:00:00+00:00", "End": "2026-11-01T00:00:00+00:00", "Qty": 14880.0, "Rate": 3.72,
            "Project id": "website", "Type": "volume"} in rows
    assert sum(row["Rate"] for row in rows) == pytest.approx(TOTAL)
    page = cloudkitty.rows("summary get -g project_id -g type --offset 1 --limit 2", *OCTOBER)
    assert page == rows[1:3]
    days = cloudkitty.rows("summary get -g time-d --filter project_id:website --filter type:volume", *OCTOBER)
    assert len(days) == 31
    assert sum(day["Rate"] for day in days) == pytest.approx(3.72)
    assert cloudkitty.rows("summary get --filter project_id:nobody", *OCTOBER) == []


@runs("dataframes get", versions=("1",))
def test_the_points_of_v1_are_listed_and_make_a_csv(cloudkitty: Cloudkitty, tmp_path: Path) -> None:
    hour = ("-b", "2026-10-01T00:00:00", "-e", "2026-10-01T01:00:00", "-p", "website", "-r", "volume")
    (frame,) = cloudkitty.rows("dataframes get", *hour)
    (point,) = frame["Resources"]
    assert (frame["Project ID"], point["service"], point["volume"], point["rating"]) == (
        "website", "volume", "20", "0.005")
    (tmp_path / "columns.yml").write_text("- When: $.begin\n- Kind: $.desc.type\n- Cost: $.rating\n")
    text = cloudkitty.ok("dataframes get -f df-to-csv --format-config-file", str(tmp_path / "columns.yml"), *hour)
    assert text.splitlines()[0] == "When,Kind,Cost"
    assert text.splitlines()[1].startswith("2026-10-01T00:00:00,")


@runs("dataframes add", "dataframes get", versions=("2",), changes_ledger=True)
def test_points_are_posted_and_listed(cloudkitty: Cloudkitty, tmp_path: Path) -> None:
    hour = {"begin": "2026-10-01T00:00:00Z", "end": "2026-10-01T01:00:00Z"}
    point = {"vol": {"unit": "page", "qty": "12.5"}, "rating": {"price": "0.25"}, "metadata": {"tray": "2"},
             "groupby": {"project_id": "printers", "id": "p-1"}}
    (tmp_path / "frames.json").write_text(json.dumps({"dataframes": [{"period": hour, "usage": {"paper": [point]}}]}))
    cloudkitty.ok("dataframes add", str(tmp_path / "frames.json"))
    row = cloudkitty.row("dataframes get --filter project_id:printers --filter type:paper", *HOUR)
    assert (row["Metric Type"], row["Unit"], row["Quantity"], row["Price"]) == ("paper", "page", 12.5, 0.25)
    assert row["Group By"] == 'id="p-1" project_id="printers"'
    assert row["Metadata"] == 'tray="2"'
    listed = cloudkitty.rows("dataframes get --filter project_id:shop", *HOUR)
    assert cloudkitty.rows("dataframes get --filter project_id:shop --offset 1 --limit 2", *HOUR) == listed[1:3]


# --- scopes and requests to rate again ----------------------------------------------------------------

@runs("scope state get", "scope patch", "scope state reset", versions=("2",), changes_ledger=True)
def test_scopes_are_shown_switched_and_reset(cloudkitty: Cloudkitty) -> None:
    listed = ("scope state get --scope-id shop --scope-key project_id --collector file --fetcher file --offset 0 "
              "--limit 5")
    assert cloudkitty.row(listed) == {
        "Scope ID": "shop", "Scope Key": "project_id", "Collector": "file", "Fetcher": "file",
        "State": "2026-10-31T23:00:00+00:00"}
    # The client ends with the answer for its exit code.
    answer: Any = cloudkitty("scope patch -id shop --active false --collector other --fetcher other --scope-key tenant")
    assert answer.code["active"] is False
    assert "HTTP 404" in cloudkitty("scope state reset --scope-id shop 2026-10-31T12:00:00Z").err
    assert cloudkitty.row("scope state get --scope-id shop")["Scope Key"] == "tenant"
    assert cloudkitty("scope patch -id shop --active true --collector file --fetcher file --scope-key project_id").code
    cloudkitty.ok("scope state reset --scope-id shop --scope-key project_id --collector file --fetcher file "
                  "2026-10-31T12:00:00Z")
    assert cloudkitty.row(listed)["State"] == "2026-10-31T11:00:00+00:00"      # 12:00 is the next one to be rated
    cloudkitty.ok("scope state reset --all-scopes 2026-10-31T10:00:00Z")
    states = {row["State"] for row in cloudkitty.rows("scope state get --collector file")}
    assert states == {"2026-10-31T09:00:00+00:00"}


@runs("scope state get", "scope state reset", "summary get", versions=("2",),
      changes_ledger=True)
def test_i8_m13_the_client_skips_and_reads_a_summary_in_which_something_is_missing(cloudkitty: Cloudkitty) -> None:
    november = ("-b", "2026-11-01T00:00:00Z", "-e", "2026-12-01T00:00:00Z")
    before = cloudkitty.rows("summary get -g project_id", *OCTOBER)
    cloudkitty.ok("scope state reset --all-scopes 2026-11-01T06:00:00Z")
    assert {row["State"] for row in cloudkitty.rows("scope state get --collector file")} == {
        "2026-11-01T05:00:00+00:00"}
    assert cloudkitty.rows("summary get -g project_id", *november) == []
    assert cloudkitty.rows("summary get -g project_id", *OCTOBER) == before
    assert "HTTP 400" in cloudkitty("scope state reset --all-scopes 2999-01-01T00:00:00Z").err


@runs("tasks reprocessing create", "tasks reprocessing get", versions=("2",), changes_ledger=True)
def test_periods_are_asked_to_be_rated_again(cloudkitty: Cloudkitty) -> None:
    cloudkitty.ok("tasks reprocessing create --scope-id website --scope-id laboratory --reason price "
                  "--start-reprocess-time 2026-10-02T00:00:00Z --end-reprocess-time 2026-10-02T05:00:00Z")
    rows = cloudkitty.rows("tasks reprocessing get --order ASC --offset 0 --limit 5 --scope-id website "
                           "--scope-id laboratory")
    assert [row["Scope ID"] for row in rows] == ["website", "laboratory"]
    assert rows[0] == {"Scope ID": "website", "Reason": "price", "Start reprocessing time": "2026-10-02T00:00:00",
                       "End reprocessing time": "2026-10-02T05:00:00", "Current reprocessing time": ""}
    assert cloudkitty.rows("tasks reprocessing get") == rows[::-1]
    again = cloudkitty("tasks reprocessing create --scope-id website --reason again --start-reprocess-time "
                       "2026-10-02T05:00:00Z --end-reprocess-time 2026-10-02T06:00:00Z")
    assert "HTTP 400" in again.err
