"""How Sphinx builds these pages: only what ships with it."""
from configparser import ConfigParser
from pathlib import Path

_setup = ConfigParser()
_setup.read(Path(__file__).parents[2] / "setup.cfg")

project = "cloudkitty-like"
author = "the cloudkitty-like authors"
release = version = _setup["metadata"]["version"]

html_theme = "alabaster"
html_theme_options = {"description": "Exact, explainable prices of what was used", "page_width": "60em"}
highlight_language = "none"
smartquotes = False        # `--option` is not a dash
