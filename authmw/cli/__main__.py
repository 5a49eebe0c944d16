"""`python -m authmw.cli`, if the `authmw` command is not on the path."""

from __future__ import annotations

import sys

from authmw.cli import main

sys.exit(main())
