"""``python -m cloudkitty_like`` is the command ``cloudkitty-like``."""
import sys

from cloudkitty_like.cli.main import main

sys.exit(main())
