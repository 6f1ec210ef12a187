"""Everything in one process: the sample, and what becomes of a state directory."""
from __future__ import annotations

import base64
import signal
import socket
import sqlite3
import ssl
import stat
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from cloudkitty_like.testing.network import free_port
from tests.certificates import Authority
from tests.commands import Here, spawn, started
from tests.fake_http import Reply, serve


def nowhere() -> str:
    return f"http://127.0.0.1:{free_port()}"


def settings(state: Path) -> dict[str, str]:
    text = (state / "cloudkitty-like.conf").read_text()
    return dict(line.split(" = ", 1) for line in text.splitlines() if " = " in line)


def test_the_sample_ends_with_a_report_that_fits_a_terminal(sample) -> None:
    state, ran = sample
    assert ran.code == 0, ran.err
    lines = ran.out.splitlines()
    assert f"The state is kept in the directory {state.name}." == lines[0]
    assert "total" in [line.split()[0] for line in lines if line]
    assert "78 of 16915 points have no price: no rule met them." in lines
    assert max(map(len, lines)) <= 90
    assert "  cloudkitty-like scopes list --state state" in lines


def test_the_sample_twice_is_the_sample_once(sample, capsys) -> None:
    state, first = sample
    with sqlite3.connect(state / "cloudkitty-like.sqlite") as database:
        before = database.execute("select count(*), max(id) from ledger_tx").fetchall()
    again = spawn("standalone", "--sample", "--state", state)
    assert again.code == 0
    assert "No change: 13 rules are as they should be." in again.out
    table = slice(first.out.index("scope  "), first.out.index("Ask for more"))
    assert first.out[table] in again.out
    with sqlite3.connect(state / "cloudkitty-like.sqlite") as database:
        assert database.execute("select count(*), max(id) from ledger_tx").fetchall() == before


def test_other_commands_find_it_without_being_told(sample, tmp_path, monkeypatch, capsys) -> None:
    (tmp_path / "cloudkitty-like-state").symlink_to(sample[0])
    monkeypatch.chdir(tmp_path)
    here = Here(capsys)
    assert here.ok("report") in sample[1].out
    assert [scope["last_period"] for scope in here.json("scopes", "list")] == ["2026-10-31T23:00:00Z"] * 4


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_quickly_keeps_what_it_has_and_goes_on(tmp_path: Path, sample, stop: signal.Signals) -> None:
    with started("standalone", "--sample", "--state", tmp_path / "s") as running:
        assert running.stdout is not None
        while "Rating" not in (line := running.stdout.readline()):
            assert line, running.communicate()
        time.sleep(0.5)
        running.send_signal(stop)
        asked = time.monotonic()
        assert running.wait(10) in (130, 0)        # 0: it was done already
        assert time.monotonic() - asked < 5
        assert running.stderr is not None
        assert "Traceback" not in running.stderr.read()
    again = spawn("standalone", "--sample", "--state", tmp_path / "s")
    table = slice(sample[1].out.index("scope  "), sample[1].out.index("Ask for more"))
    assert sample[1].out[table] in again.out


def files(path: Path) -> tuple[str, ...]:
    (path / "metrics.yml").write_text("metrics: {instance: {unit: hour}}")
    return "--scope-label", "project", "--metrics", str(path / "metrics.yml")


def test_a_new_directory_says_all_that_it_needs(tmp_path: Path, capsys) -> None:
    ran = Here(capsys)("standalone", "--state", tmp_path / "s", "--scope-label", "project")
    assert ran.code == 1
    assert ran.err == (f"cloudkitty-like: error: a new state directory ({tmp_path / 's'}) needs --prometheus URL, "
                       "--metrics FILE\nhint: or try --sample, which needs nothing\n")
    assert not (tmp_path / "s").exists()


def test_its_options_are_kept_and_only_those_given_are_changed(tmp_path: Path) -> None:
    state, url, other = tmp_path / "s", nowhere(), nowhere()
    first = spawn("standalone", "--state", state, "--prometheus", url, *files(tmp_path), "--period", "60", "--guard",
                  "alive", "--once")
    assert first.code == 1
    assert url in first.err
    before = settings(state)
    assert before["prometheus_url"] == url
    assert (before["scope_key"], before["scope_attribute"], before["period"], before["guard"]) == (
        "project", "project", "60", "alive")
    assert url in spawn("standalone", "--state", state, "--once").err
    assert settings(state) == before
    assert other in spawn("standalone", "--state", state, "--once", "--prometheus", other).err
    assert settings(state) == before | {"prometheus_url": other}


def test_comments_in_its_configuration_stay_where_nothing_changes(tmp_path: Path) -> None:
    state = tmp_path / "s"
    spawn("standalone", "--state", state, "--prometheus", nowhere(), *files(tmp_path), "--once")
    path = state / "cloudkitty-like.conf"
    path.write_text("# mine\n" + path.read_text())
    spawn("standalone", "--state", state, "--once")
    assert path.read_text().startswith("# mine\n")


def test_what_is_wrong_with_the_files_is_said_before_anything_is_made(tmp_path: Path) -> None:
    (tmp_path / "metrics.yml").write_text("metrics: {instance: {units: hour}}")
    (tmp_path / "rules.yml").write_text("services: {instance: [{price: 1}]}")
    ran = spawn("standalone", "--state", tmp_path / "s", "--prometheus", nowhere(), "--scope-label", "project",
                "--metrics", tmp_path / "metrics.yml", "--rules", tmp_path / "rules.yml")
    assert ran.code == 1
    assert "metrics.yml" in ran.err
    assert "rules.yml: line 1: instance[0].price: is not known" in ran.err
    assert not (tmp_path / "s" / "cloudkitty-like.sqlite").exists()


@pytest.mark.parametrize(("arguments", "said"), [
    (("--prometheus", "http://localhost:9090"), "holds the sample month; name another directory"),
    ((), "holds the sample month; name another directory"),
    (("--sample", "--period", "60"), "--sample: it cannot be used together with --period"),
])
def test_the_sample_is_not_mixed_with_anything(sample, capsys, arguments: tuple[str, ...], said: str) -> None:
    before = settings(sample[0])
    ran = Here(capsys)("standalone", "--state", sample[0], *arguments)
    assert ran.code == 1
    assert said in ran.err
    assert settings(sample[0]) == before


# --- its source, its port and its secrets --------------------------------------------------------------

def lines_until(process: subprocess.Popen[str], wanted: str) -> list[str]:
    """What it prints up to a line that holds ``wanted``."""
    assert process.stdout is not None
    printed: list[str] = []
    while not printed or wanted not in printed[-1]:
        printed.append(process.stdout.readline())
        assert printed[-1], f"it ended: {printed} {process.communicate()}"
    return printed


def healthy(port: int) -> bool:
    """Whether the API answers within some seconds."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/scope", timeout=10) as answer:
                return answer.status == 200
        except urllib.error.HTTPError as error:
            return error.code == 404           # there are no scopes yet, and the API says so
        except OSError:
            time.sleep(0.2)
    return False


def test_i8_m11_it_starts_while_its_source_is_down_and_answers_meanwhile(tmp_path: Path) -> None:
    port = free_port()
    with started("standalone", "--state", tmp_path / "s", "--prometheus", nowhere(), *files(tmp_path), "--port",
                 str(port)) as running:
        lines_until(running, "The API answers")
        assert healthy(port)
        lines_until(running, "Ctrl-C stops")
        running.send_signal(signal.SIGINT)
        assert running.wait(20) == 0
        assert running.stderr is not None
        said = running.stderr.read()
    assert "warning: the source does not answer, and is asked again until it does" in said
    assert "Traceback" not in said


def test_i8_m11_a_port_that_is_taken_is_refused_before_anything_is_written(tmp_path: Path, capsys) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ran = Here(capsys)("standalone", "--state", tmp_path / "s", "--prometheus", nowhere(), *files(tmp_path),
                           "--port", str(port))
    assert ran.code == 1
    assert f"--port: 127.0.0.1 port {port}: Address already in use" in ran.err
    assert "name another port with --port" in ran.err
    assert not (tmp_path / "s").exists()


def test_i8_m11_a_refused_secret_is_written_nowhere_and_not_repeated(tmp_path: Path, capsys) -> None:
    ran = Here(capsys)("standalone", "--state", tmp_path / "s", "--prometheus", "http://me:sesame@localhost:1",
                       *files(tmp_path))
    assert ran.code == 1
    assert "--prometheus: holds a user or a password" in ran.err
    assert "sesame" not in ran.err
    assert not (tmp_path / "s").exists()


def test_i8_m11_a_refused_change_leaves_the_configuration_as_it_was(tmp_path: Path, capsys) -> None:
    state = tmp_path / "s"
    assert spawn("standalone", "--state", state, "--prometheus", nowhere(), *files(tmp_path), "--once").code == 1
    before = (state / "cloudkitty-like.conf").read_text()
    (tmp_path / "wrong.yml").write_text("metrics: {instance: {units: hour}}")
    (tmp_path / "token").write_text("t")
    for change, said in ((("--metrics", tmp_path / "wrong.yml"), "wrong.yml"), (("--guard", "}{"), "guard"),
                         (("--prometheus-ca", tmp_path / "token"), "cafile"),
                         (("--prometheus-user", "me"), "prometheus_user"),
                         (("--prometheus-token-file", tmp_path / "none"), "--prometheus-token-file")):
        ran = Here(capsys)("standalone", "--state", state, "--once", *change)
        assert (ran.code, said in ran.err) == (1, True), ran
        assert (state / "cloudkitty-like.conf").read_text() == before
    assert "hour" in (state / "metrics.yml").read_text()


def test_i8_m11_its_configuration_is_its_owners_alone(sample, tmp_path: Path) -> None:
    assert stat.S_IMODE((sample[0] / "cloudkitty-like.conf").stat().st_mode) == 0o600


def test_i8_m11_a_user_with_a_password_file_and_a_token_file_are_shown_and_not_kept(tmp_path: Path) -> None:
    state = tmp_path / "s"
    (tmp_path / "password").write_text("sesame\n")
    (tmp_path / "token").write_text("abc\n")
    with serve(lambda asked: Reply(401)) as server:
        spawn("standalone", "--state", state, "--prometheus", server.url, *files(tmp_path), "--once",
              "--prometheus-user", "me", "--prometheus-password-file", tmp_path / "password")
        assert {asked.headers["Authorization"] for asked in server.asked} == {
            "Basic " + base64.b64encode(b"me:sesame").decode()}
        assert settings(state)["prometheus_password_file"] == str(tmp_path / "password")
        server.asked.clear()
        spawn("standalone", "--state", state, "--once", "--prometheus-token-file", tmp_path / "token")
        assert {asked.headers["Authorization"] for asked in server.asked} == {"Bearer abc"}
    kept = settings(state)
    assert kept["bearer_token_file"] == str(tmp_path / "token")
    assert not {"prometheus_user", "prometheus_password_file"} & set(kept)
    assert not any(secret in path.read_bytes() for secret in (b"sesame", b"abc\n")
                   for path in state.rglob("*") if path.is_file())


def test_i8_m11_a_ca_is_what_the_certificate_is_checked_with(tmp_path: Path) -> None:
    authority, state = Authority(tmp_path), tmp_path / "s"
    certificate, tls = authority.certificate("server"), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate.file, certificate.key_file)
    with serve(lambda asked: Reply(401), tls) as server:
        ran = spawn("standalone", "--state", state, "--prometheus", server.url, *files(tmp_path), "--once")
        assert "CERTIFICATE_VERIFY_FAILED" in ran.err
        assert server.asked == []
        ran = spawn("standalone", "--state", state, "--once", "--prometheus-ca", authority.file)
        assert "401" in ran.err
        assert server.asked
    assert settings(state)["cafile"] == authority.file


USAGE = """begin,metric,quantity,tenant
2024-02-01T00:00:00Z,instance,1,a
2024-02-01T05:30:00Z,instance,2,b
"""


def test_i8_m11_a_file_is_a_source_and_is_rated_from_its_first_row_on(tmp_path: Path, capsys) -> None:
    usage, state = tmp_path / "usage.csv", tmp_path / "s"
    usage.write_text(USAGE)
    (tmp_path / "metrics.yml").write_text("metrics: {instance: {unit: hour}}")
    (tmp_path / "rules.yml").write_text("services: {instance: [{cost: 0.5}]}")
    first = spawn("standalone", "--state", state, "--file", usage, "--scope-label", "tenant", "--metrics",
                  tmp_path / "metrics.yml", "--rules", tmp_path / "rules.yml", "--once")
    assert "a      instance  hour         1    0.5       1         0" in first.out, first
    assert "b      instance  hour         2      1       1         0" in first.out
    usage.write_text(USAGE + "2024-02-02T00:00:00Z,instance,4,b\n")
    again = spawn("standalone", "--state", state, "--once")
    assert "b      instance  hour         6      3       2         0" in again.out, again
    changes = [entry["cause"] for entry in Here(capsys, "--state", state).json("history")]
    assert changes.count("reset") <= 1


@pytest.mark.parametrize("arguments", [
    ("--prometheus", "http://localhost:9090"), ("--sample",), ("--guard", "up"), ("--prometheus-user", "me"),
])
def test_i8_m11_a_file_is_the_only_source(tmp_path: Path, capsys, arguments: tuple[str, ...]) -> None:
    (tmp_path / "usage.csv").write_text(USAGE)
    ran = Here(capsys)("standalone", "--state", tmp_path / "s", "--file", tmp_path / "usage.csv", *files(tmp_path),
                       *arguments)
    assert (ran.code, "it cannot be used together with --" in ran.err) == (1, True)
    assert not (tmp_path / "s").exists()


def test_i8_m4_names_that_fit_nothing_are_told_at_the_start(tmp_path: Path) -> None:
    usage, state = tmp_path / "usage.csv", tmp_path / "s"
    usage.write_text(USAGE + "2024-02-01T00:00:00Z,instanse,1,a\n")
    (tmp_path / "metrics.yml").write_text("metrics: {instance: {unit: hour, groupby: [tennant]}}")
    (tmp_path / "rules.yml").write_text("services: {instance: [{cost: 0.5}], instnace: [{cost: 1}]}")
    first = spawn("standalone", "--state", state, "--file", usage, "--scope-label", "tenant", "--metrics",
                  tmp_path / "metrics.yml", "--rules", tmp_path / "rules.yml", "--once")
    rule = ("rules for 'instnace' price nothing: neither metrics.yml nor posted usage has it; "
            "did you mean 'instance'?")
    assert [line.partition(" warning: ")[2] for line in first.err.splitlines() if " warning: " in line] == [
        rule,
        "metrics.yml: metric 'instance': no series of it has the label 'tennant'",
        ("the source has usage of 'instanse', which metrics.yml does not have: it is not rated; "
         "did you mean 'instance'?")]
    again = spawn("standalone", "--state", state, "--once")
    assert rule in again.err
    assert "total" in again.out            # and it went on all the same


@pytest.mark.parametrize("period", ["3600", "300"])
def test_i8_m5_it_says_what_a_price_is_per(tmp_path: Path, period: str) -> None:
    (tmp_path / "usage.csv").write_text(USAGE)
    (tmp_path / "metrics.yml").write_text("metrics: {instance: {unit: hour}}")
    (tmp_path / "rules.yml").write_text("period: 3600\nservices: {instance: [{cost: 0.5}]}")
    ran = spawn("standalone", "--state", tmp_path / "s", "--file", tmp_path / "usage.csv", "--scope-label", "tenant",
                "--metrics", tmp_path / "metrics.yml", "--rules", tmp_path / "rules.yml", "--period", period, "--once")
    assert f"A price is per unit; that of a gauge is per unit and period, of {period} s.\n" in ran.out
    assert ("multiply these costs by 1/12" in ran.err) == (period == "300")
