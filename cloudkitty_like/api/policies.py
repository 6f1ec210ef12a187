"""Who may do what: the rules with their defaults, and the question whether one allows a request.

The names and defaults are CloudKitty's, so that its policy files go on to hold.
Three things differ, all of them on purpose: every rule is asked for; what
has no project never equals what has none either; and a token of a domain or of
the system is refused, where it used to be an error of the server.
"""
from __future__ import annotations

from collections.abc import Mapping

from oslo_config import cfg
from oslo_context.context import RequestContext
from oslo_policy import policy

from cloudkitty_like.domain.errors import Forbidden, Invalid, Unavailable

SCOPES = ["project"]
ANYONE = ""
ADMIN = "rule:context_is_admin"
READER = "rule:project_reader_or_admin"
OWN = "project_id:%(project_id)s"
DEFAULT_FILE = "policy.yaml"
UNREADABLE = (cfg.Error, OSError, ValueError, TypeError, AttributeError)
"""What oslo.policy raises for a file that is no file of rules."""

BASE = (
    ("context_is_admin", "role:admin", "Who may do everything and see every scope."),
    ("admin_or_owner", f"{ADMIN} or {OWN}",
     "An admin, or any role in the project that is asked about; for policy files that name it."),
    ("default", ANYONE, "Anyone who is authenticated; for policy files that name it."),
    ("project_member_api", f"role:member and {OWN}", "A member of the project that is asked about."),
    ("project_reader_api", f"role:reader and {OWN}", "A reader of the project that is asked about."),
    ("project_member_or_admin", f"rule:project_member_api or {ADMIN}",
     "A member of the project that is asked about, or an admin."),
    ("project_reader_or_admin", f"rule:project_reader_api or {ADMIN}",
     "A reader of the project that is asked about, or an admin."),
)

NAMED = (
    ("collector:list_mappings", ADMIN, "List which collector each service has.", ["GET /v1/collector/mappings"]),
    ("collector:get_mapping", ADMIN, "See which collector a service has.", ["GET /v1/collector/mappings/{service}"]),
    ("collector:manage_mapping", ADMIN, "Give a service another collector.",
     ["POST /v1/collector/mappings", "DELETE /v1/collector/mappings/{service}"]),
    ("collector:get_state", ADMIN, "See whether a collector is enabled.", ["GET /v1/collector/states/{name}"]),
    ("collector:update_state", ADMIN, "Enable or disable a collector.", ["PUT /v1/collector/states/{name}"]),
    ("info:list_services_info", ANYONE, "List the metrics, by their old name.", ["GET /v1/info/services"]),
    ("info:get_service_info", ANYONE, "See a metric, by its old name.", ["GET /v1/info/services/{service}"]),
    ("info:list_metrics_info", ANYONE, "List the metrics that are rated.", ["GET /v1/info/metrics"]),
    ("info:get_metric_info", ANYONE, "See a metric that is rated.", ["GET /v1/info/metrics/{metric}"]),
    ("info:get_config", ANYONE, "Read metrics.yml.", ["GET /v1/info/config"]),
    ("rating:list_modules", ADMIN, "List the rating modules.", ["GET /v1/rating/modules"]),
    ("rating:get_module", ADMIN, "See a rating module.", ["GET /v1/rating/modules/{module}"]),
    ("rating:update_module", ADMIN, "Enable or disable a rating module, or set its priority.",
     ["PUT /v1/rating/modules/{module}"]),
    ("rating:simulate", ADMIN, "Rate what is rated already by other rules, and store nothing.",
     ["POST /v2/rating/simulations"]),
    ("rating:quote", ANYONE, "Ask what something would cost.", ["POST /v1/rating/quote"]),
    ("rating:module_config", ADMIN, "Read and write the rules of rating modules, and have them read again.",
     ["GET /v1/rating/reload_modules",
      *(f"{method} /v1/rating/module_config/{{module}}" for method in ("GET", "POST", "PUT", "DELETE"))]),
    ("report:list_tenants", ADMIN, "List the scopes that were rated.", ["GET /v1/report/tenants"]),
    ("report:get_summary", READER, "See the totals of a project.", ["GET /v1/report/summary"]),
    ("report:get_total", READER, "See the total of a project.", ["GET /v1/report/total"]),
    ("storage:list_data_frames", READER, "Read the rated frames of a project.", ["GET /v1/storage/dataframes"]),
    ("dataframes:add", ADMIN, "Add frames from elsewhere.", ["POST /v2/dataframes"]),
    ("dataframes:get", READER, "Read rated frames.", ["GET /v2/dataframes"]),
    ("explanation:get", READER, "See what made the prices of rated points.", ["GET /v2/explanations"]),
    ("v2_rating:list_modules", ADMIN, "List the rating modules.", ["GET /v2/rating/modules"]),
    ("v2_rating:get_module", ADMIN, "See a rating module.", ["GET /v2/rating/modules/{module}"]),
    ("v2_rating:update_module", ADMIN, "Enable or disable a rating module, or set its priority.",
     ["PUT /v2/rating/modules/{module}"]),
    ("scope:get_state", ADMIN, "See how far scopes are rated.", ["GET /v2/scope"]),
    ("scope:reset_state", ADMIN, "Rate scopes again from an instant on.", ["PUT /v2/scope"]),
    ("scope:patch_state", ADMIN, "Change a scope.", ["PATCH /v2/scope"]),
    ("scope:post_state", ADMIN, "Add a scope.", ["POST /v2/scope"]),
    ("summary:get_summary", READER, "See totals.", ["GET /v2/summary"]),
    ("schedule:task_reprocesses", ADMIN, "Ask for scopes to be rated again.", ["POST /v2/task/reprocesses"]),
    ("schedule:get_task_reprocesses", ADMIN, "See what is to be rated again.",
     ["GET /v2/task/reprocesses", "GET /v2/task/reprocesses/{which}"]),
    ("schedule:cancel_task_reprocesses", ADMIN, "End what is to be rated again.",
     ["DELETE /v2/task/reprocesses/{which}"]),
    ("schedule:undo_task_reprocesses", ADMIN, "Bring back what was before something was rated again.",
     ["POST /v2/task/reprocesses/{which}/undo"]),
    ("history:get", ADMIN, "See who has changed what.", ["GET /v2/history"]),
    ("metrics:get", ADMIN, "Read the service's own measurements.", ["GET /metrics"]),
    ("healthcheck:details", ADMIN, "See why the service is unwell, and not only that it is.", ["GET /healthcheck"]),
)


def list_rules() -> list[policy.RuleDefault]:
    """Every rule with its default, those first that others are made of."""
    base = [policy.RuleDefault(name, check, description, scope_types=SCOPES) for name, check, description in BASE]
    return base + [policy.DocumentedRuleDefault(name, check, description, [_operation(text) for text in operations],
                                                scope_types=SCOPES)
                   for name, check, description, operations in NAMED]


def _operation(text: str) -> policy.Operation:
    method, _, path = text.partition(" ")
    return {"method": method, "path": path}


class AnonymousContext(RequestContext):
    """The context of every request where nobody is authenticated (``noauth``): it may do everything.

    A type of its own, because no header, role or policy file makes or unmakes one.
    """


class Policy:
    """The rules in force: the defaults, and what the files of ``[oslo_policy]`` say instead.

    The files are read again when they change.  To a file that has become wrong since the start, one question is
    answered by Unavailable; then the rules hold that were read before.
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """Invalid where a file is missing that was asked for, or holds what is no rule."""
        # A rule that only a misspelled name refers to must be no rule, not the one called "default".
        self._enforcer = policy.Enforcer(conf, default_rule="a rule that is not defined")
        self._enforcer.suppress_default_change_warnings = True
        self._enforcer.suppress_deprecation_warnings = True
        self._enforcer.register_defaults(list_rules())
        self._check(conf)

    def _check(self, conf: cfg.ConfigOpts) -> None:
        file = conf.oslo_policy.policy_file
        if file != DEFAULT_FILE and not conf.find_file(file):
            raise Invalid(f"[oslo_policy] policy_file: {file}: there is no such file")
        try:
            self._enforcer.load_rules()
            self._enforcer.check_rules(raise_on_violation=True)
        except (policy.InvalidDefinitionError, *UNREADABLE) as error:
            raise Invalid(f"[oslo_policy] policy_file: {' '.join(str(error).split())}") from None
        # What oslo.policy cannot read it takes for "!", nobody, and says so in the log alone.
        unread = [f"[oslo_policy] policy_file: {name}: {rule.check_str!r} is no rule"
                  for name, rule in self._enforcer.file_rules.items()
                  if str(rule.check) == "!" and rule.check_str != "!"]
        if unread:
            raise Invalid(*unread)

    def authorize(self, rule: str, context: RequestContext, target: Mapping[str, str | None]) -> None:
        """Forbidden where the rule does not allow this to the caller.

        ``target`` says what is asked about; to readers its ``project_id`` counts, None or absent where it is no
        single project.  The message names the rule and nothing else.
        """
        if isinstance(context, AnonymousContext):
            return
        if not _of_a_project(context):
            raise Forbidden(f"{rule} takes the token of a project, not of a domain or of the system")
        if not self._allows(rule, context, target):
            raise Forbidden(f"the policy does not allow {rule}")

    def is_admin(self, context: RequestContext) -> bool:
        """Whether the caller may see every scope."""
        return isinstance(context, AnonymousContext) or (
            _of_a_project(context) and self._allows("context_is_admin", context, {}))

    def _allows(self, rule: str, context: RequestContext, target: Mapping[str, str | None]) -> bool:
        # To oslo.policy None equals None, and the text "None" too.  What is not there equals nothing.
        caller = {name: value for name, value in context.to_policy_values().items() if value not in (None, "")}
        attributes = {name: value for name, value in target.items() if value}
        try:
            return bool(self._enforcer.authorize(rule, attributes, caller))
        except UNREADABLE as error:
            raise Unavailable("the policy file cannot be read",
                              hint=f"[oslo_policy] policy_file: {' '.join(str(error).split())}") from error


def _of_a_project(context: RequestContext) -> bool:
    """False for a token of a domain or of the system; true for one of nothing at all, which has no roles."""
    return not context.system_scope and not context.domain_id
