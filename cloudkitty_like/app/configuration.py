"""Every option that is nobody else's, and how a configuration is read."""
from __future__ import annotations

import contextlib
import getpass
import io
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from pathlib import Path

from oslo_config import cfg

from cloudkitty_like import __version__, plugin
from cloudkitty_like.domain.errors import Invalid

DAY_SECONDS = 86400
DEFAULT_CONFIG = Path("/etc/cloudkitty_like/cloudkitty_like.conf")
DATABASE_OPTIONS = (
    "connection", "connection_recycle_time", "max_pool_size", "max_overflow", "pool_timeout")
DEFAULT_DATABASE = "sqlite:////var/lib/cloudkitty_like/cloudkitty_like.sqlite"

OPTS: dict[str, list[cfg.Opt]] = {
    "collect": [
        cfg.StrOpt("collector", default="prometheus", help="Name of the plugin that reads usage."),
        cfg.IntOpt("period", default=3600, min=1, max=DAY_SECONDS,
                   help="Length of a rating period in seconds. It divides a day, and stays what it "
                   "was when the ledger was begun."),
        cfg.IntOpt("wait_periods", default=2, min=0,
                   help="How many periods to wait after a period's end until the source is "
                   "complete."),
        cfg.StrOpt("metrics_conf", default="/etc/cloudkitty_like/metrics.yml",
                   help="Path of metrics.yml."),
        cfg.StrOpt("scope_key", default="project_id",
                   help="The label that says whose usage it is."),
    ],
    "fetcher": [
        cfg.StrOpt("backend", default="prometheus", help="Name of the plugin that finds scopes.")],
    "storage": [
        cfg.StrOpt("backend", default="sqlalchemy", help="Name of the plugin that keeps points.")],
    "orchestrator": [
        cfg.StrOpt("coordination_url", secret=True,
                   default="file:///var/lib/cloudkitty_like/locks",
                   help="Where workers share out their work: a tooz URL. file:// serves one host."),
        cfg.IntOpt("max_workers", default=1, min=1,
                   help="Number of worker processes of one processor."),
        cfg.IntOpt("max_threads", default=16, min=1,
                   help="Requests to the source at a time, per worker."),
        cfg.IntOpt("shards", default=8, min=1, max=1024,
                   help="Into how many parts the scopes are shared out; the same for all workers."),
        cfg.IntOpt("scopes_per_batch", default=5000, min=1,
                   help="Scopes collected and recorded together."),
        cfg.IntOpt("collector_request_timeout", default=300, min=1,
                   help="Seconds after which a metric's collection is not split further."),
        cfg.StrOpt("skip_datapoints_expression", default="False",
                   help="Which rated points to drop; a metric's own expression takes its place."),
        cfg.FloatOpt("poll_interval", default=5, min=0.05,
                     help="Seconds between looks for work where there is none."),
        cfg.FloatOpt("discovery_interval", default=60, min=0.05,
                     help="Seconds between looks for new scopes."),
        cfg.FloatOpt("retry_first", default=30, min=0.05,
                     help="Seconds until a scope is tried again after its source failed; doubled "
                     "each time."),
        cfg.FloatOpt("retry_most", default=3600, min=0.05,
                     help="The longest such wait, in seconds."),
        cfg.StrOpt("gap_policy", default="wait", choices=[
            ("wait",
             "rating waits there until the source knows it after all, or an operator decides"),
            ("skip",
             ("rating goes on past it; it stays unknown, and is rated once the source knows it "
              "after all"))],
            help="What to do about a gap: a period in which the source has no sign of life, while "
                   "it has one in a later period."),
        cfg.FloatOpt("gap_after", default=14400, min=0,
                     help="Seconds after the end of such a period before rating goes on past it."),
        cfg.FloatOpt("slice_seconds", default=5, min=0.05,
                     help="Seconds of catching up for some scopes before looking what else is "
                     "due."),
    ],
}


STATE_PATH = cfg.StrOpt(
    "state_path", sample_default="<the directory of the configuration file>",
    help="What $state_path in the value of another option stands for: the directory of the first "
         "configuration file. A state directory names by it what it holds, so that it may be "
         "moved and copied.")


def list_opts(api: Iterable[tuple[str, list[cfg.Opt]]]) -> Iterator[tuple[str, list[cfg.Opt]]]:
    """Yield every option by group.

    ``api``: the options of the API, which this package does not know.

    :raises Invalid: at the first plugin that cannot be loaded; these come last.
    """
    yield "DEFAULT", [STATE_PATH]
    yield from OPTS.items()
    yield "database", database_opts()
    yield from api
    yield from plugin.list_opts()


def database_opts() -> list[cfg.Opt]:
    """Return the options of [database]: those of oslo.db that we read, and our own limits."""
    from oslo_db import options as oslo_db_options

    from cloudkitty_like.db import limits

    library_opts = oslo_db_options.database_opts
    opts = [copy(opt) for opt in library_opts if opt.name in DATABASE_OPTIONS]
    cfg.set_defaults(opts, connection=DEFAULT_DATABASE)
    return [*opts, *limits.OPTS]


def read_configuration(files: Sequence[str], directories: Sequence[str] = (), *,
                       logs: bool = False, state_path: Path | None = None) -> cfg.ConfigOpts:
    """Return the configuration, with the options of this module registered.

    ``logs``: with the options of oslo.log, which a daemon has in [DEFAULT].
    ``state_path``: what ``$state_path`` stands for, if not the directory of the first file.

    :raises Invalid: when the configuration cannot be read.
    """
    conf = cfg.ConfigOpts()
    first = Path(files[0]) if files else DEFAULT_CONFIG
    conf.register_opt(copy(STATE_PATH))
    home = (state_path or first.parent).absolute()
    conf.set_default("state_path", str(home).replace("$", "$$"))
    if logs:
        from oslo_log import log

        log.register_options(conf)
    for group, opts in OPTS.items():
        conf.register_opts(opts, group)
    conf.register_opts(database_opts(), "database")
    _parse(conf, files, directories)
    return conf


def _parse(conf: cfg.ConfigOpts, files: Sequence[str], directories: Sequence[str]) -> None:
    """Read the files; Invalid when that fails."""
    args = [*(f"--config-file={name}" for name in files),
            *(f"--config-dir={name}" for name in directories)]
    default = [str(DEFAULT_CONFIG)] if not args and DEFAULT_CONFIG.exists() else []
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            conf(args, project="cloudkitty_like", version=__version__,
                 default_config_files=default, default_config_dirs=[])
    except SystemExit:       # oslo.config refuses so what could be given as an argument too
        raise Invalid(f"[DEFAULT] {said.getvalue().strip()}") from None
    except cfg.ConfigFileParseError as error:
        raise Invalid(str(error).replace("\n", " ")) from None
    except cfg.Error as error:
        raise Invalid(str(error)) from None
    except OSError as error:
        raise Invalid(f"{error.filename}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        names = ", ".join([*files, *directories])
        raise Invalid(f"{names}: it is not a text in UTF-8: {error}") from None


def user() -> str:
    """Who runs this program, for the history of changes."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
