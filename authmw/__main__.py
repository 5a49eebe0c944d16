"""`python -m authmw`: the command `authmw`, where it is not on the path."""

from __future__ import annotations

import sys

from authmw.cli import main

sys.exit(main())
