"""Real filters decide as the model says, whatever happens; `make soak` does this for longer."""

from __future__ import annotations

import pytest

from tests.system.model.soak import soak


@pytest.mark.slow
def test_the_filter_decides_as_the_model() -> None:
    counts = soak(30)
    assert counts["requests"] > 100
    # In most cases the model leaves no choice.
    assert counts["decided"] > counts["requests"] / 2
