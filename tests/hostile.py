"""More than a hundred texts that somebody might send who means no good, or whose keyboard is not ours."""
from __future__ import annotations

SQL = (
    "'", "''", '"', '""', "`", "' OR '1'='1", "' OR 1=1 --", '" OR ""="', "'; DROP TABLE scope; --",
    "1; DELETE FROM total", "' UNION SELECT identifier FROM scope --", "') OR ('a'='a", "1 OR 1=1", "/* */", "--", ";",
    "' AND sleep(9) AND '", "'||pg_sleep(9)||'", "admin'/*", "\\'; SELECT 1; --", "{scope}' OR scope_id <> '", "$$",
    "$1", ":name", "%(name)s", "?", "0x27", "CHAR(39)", "' COLLATE NOCASE", "NULL",
)
PATTERNS = ("%", "%%", "_", "\\_", "\\%", "*", ".*", "^", "[a-z]", "(a+)+$", "\\", "\\\\", "\\d", "a|b", "{}")
QUERIES = (
    'x"} or {project_id=~".+', '"}) or vector(1) #', '{__name__=~".+"}', "rate(up[5m])", 'label="value"', "sum by (x)",
    "SUM(price) FROM /.*/ --", "*), SUM(price) FROM total; --", '|> filter(fn: (r) => true)', '" |= "',
    "SUM(qty) AS x; --", 'SUM(price) AS "a"" b"', "MAX((SELECT 1)) AS x",
)
CHARACTERS = (
    "\0", "a\0b", "\r\n", "a\r\nX-Roles: admin", "\n", "\t", " ", "\x1b[31m", "\x7f", "\u2028", "\u202e-evil", "\u200b",
    "\u200fabc", "\ufeff", "\ufffd", "\ud800", "a\udfffb", "é", "e\u0301", "ｐｌｕｍ", "рlum", "ⅷ", "İ", "ß", "💶",
    "𝟙", "١٢",
)
FORMATS = (
    "{0}", "{0.__class__}", "{context.caller}", "%s%s%s%n", "${jndi:ldap://x/y}", "{{7*7}}",
    "<script>alert(1)</script>", "&lt;", "=1+1", "@SUM(A1)", "../../etc/passwd", "..\\..\\x",
    "/", "//", "a/../b", ".", "..", "%2e%2e%2f",
    "%00", "#", "a,b", ",", "a:b", ":", "a=b&c=d", "+",
)
DATA = (
    "[]", '{"a": 1}', '{"$ne": null}', "null", "true", "None", "ALL", "0", "-1", "1e999", "NaN", "Infinity", "-0.0",
    "99999999999999999999", "1_000", "0x1F", "2026-02-30", "0000-00-00", "9999-12-31T23:59:59Z", "1970-01-01T00:00:00Z",
    "2026-11-03T00:00:00+99:99", "x" * 10_000, "é" * 5_000, "'" * 1_000,
)
EVERYTHING = (*SQL, *PATTERNS, *QUERIES, *CHARACTERS, *FORMATS, *DATA)
