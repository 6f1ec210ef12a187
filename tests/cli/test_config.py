"""The sample configuration: complete, explained, and shipped as it is printed."""
from __future__ import annotations

import re
from pathlib import Path

from oslo_config import cfg

from cloudkitty_like import app
from cloudkitty_like.cli.config import list_opts
from cloudkitty_like.cli.config_warnings import doubts
from tests.commands import Here

SHIPPED = Path(__file__).parents[2] / "etc" / "cloudkitty_like" / "cloudkitty_like.conf.sample"
OURS = [group for group, _ in list_opts() if group not in ("database", "cors", "oslo_middleware")]


def groups(text: str) -> dict[str, str]:
    parts = re.split(r"^\[(\w+)\]$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_file_in_the_tree_is_what_is_printed(capsys) -> None:
    # Of our own groups: those of libraries change with their versions.
    printed, shipped = groups(Here(capsys).ok("config", "sample")), groups(SHIPPED.read_text(encoding="utf-8"))
    assert list(printed) == list(shipped)
    assert {group: printed.get(group) for group in OURS if group != "rating_hashmap"} == {
        group: shipped.get(group) for group in OURS if group != "rating_hashmap"}


def test_it_reads_back_with_every_line_uncommented(tmp_path: Path, capsys) -> None:
    text = Here(capsys).ok("config", "sample")
    ours = "".join(f"[{group}]{body}" for group, body in groups(text).items() if group != "DEFAULT")
    path = tmp_path / "all.conf"
    path.write_text(re.sub(r"^#(\w+ =)", r"\1", ours, flags=re.MULTILINE).replace("<None>", ""), encoding="utf-8")
    conf = app.read_configuration([str(path)])
    assert (conf.collect.period, conf.orchestrator.skip_datapoints_expression) == (3600, "False")
    assert doubts(conf) == []


def test_every_option_says_what_it_is_for() -> None:
    for group, opts in list_opts():
        for opt in opts:
            assert isinstance(opt, cfg.Opt)
            assert opt.help, f"[{group}] {opt.name}"


def test_every_secret_is_known_to_be_one() -> None:
    suspicious = re.compile(r"password(?!_file)|token$|^connection$|coordination_url")
    assert [f"[{group}] {opt.name}" for group, opts in list_opts() for opt in opts
            if suspicious.search(opt.name) and not opt.secret] == []
