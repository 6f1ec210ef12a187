"""How Sphinx builds these pages: with what ships with it, and with the API's reference made of its own description."""
import sys
from configparser import ConfigParser
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

_setup = ConfigParser()
_setup.read(Path(__file__).parents[2] / "setup.cfg")

project = "cloudkitty-like"
author = "the cloudkitty-like authors"
release = version = _setup["metadata"]["version"]

extensions = ["api_reference"]
html_theme = "alabaster"
html_theme_options = {"description": "Exact, explainable prices of what was used", "page_width": "60em"}
highlight_language = "none"
smartquotes = False        # `--option` is not a dash
