"""Draws the plots of doc/capacity.rst.

    python -m benchmarks.site_plots FIGURES.json DIRECTORY

`python -m benchmarks.sites --save FIGURES.json` measures. Needs matplotlib
(the extra `plots`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.simulated_sites import Cost
from benchmarks.site_centre import Publication, Scale
from benchmarks.sites import Figures, percentile

# The same file for the same figures.
_SETTINGS: dict[Any, Any] = {"svg.hashsalt": "authmw", "font.size": 9, "axes.spines.top": False}


def load(path: Path) -> Figures:
    """Read what `benchmarks.sites --save` wrote."""
    members = json.loads(path.read_text())
    return Figures(
        Scale(**members.pop("scale")),
        [Publication(*each) for each in members.pop("publications")],
        [Cost(*each) for each in members.pop("first")],
        [Cost(*each) for each in members.pop("next_one")],
        **members,
    )


def draw(figures: Figures, directory: Path) -> None:
    """Write one histogram with push and one with polls, as SVG."""
    for name, title, hosts, here in (
        ("push", "with push", figures.push_as_hosts, figures.push),
        ("poll", "with polls", figures.poll_as_hosts, figures.poll),
    ):
        _draw(
            directory / f"sites-{name}.svg",
            f"From a publish to the refusal, {title}",
            {
                f"{figures.scale.sites:,} sites, composed: no such run": hosts,
                f"{figures.scale.running or figures.scale.sites:,} sites, run on two busy cores": (
                    here
                ),
            },
        )


def _draw(path: Path, title: str, series: Mapping[str, Sequence[float]]) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    mpl.rcParams.update(_SETTINGS)
    series = {name: times for name, times in series.items() if times}
    figure, found = pyplot.subplots(
        1, len(series), figsize=(9, 3), layout="constrained", squeeze=False
    )
    figure.suptitle(title)
    for plot, (name, times) in zip(found[0], series.items(), strict=True):
        p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
        weights = [100 / len(times)] * len(times)
        plot.hist(times, bins=50, weights=weights, color="#4477aa")
        for value, label in ((p50, "p50"), (p99, "p99")):
            plot.axvline(value, color="#cc3311", linewidth=1)
            plot.annotate(
                f"{label} {value:.1f} s", (value, 0.95), xycoords=("data", "axes fraction")
            )
        plot.set_title(name)
        plot.set_xlabel("seconds")
        plot.set_ylabel("% of sites")
        plot.set_xlim(left=0)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


if __name__ == "__main__":
    draw(load(Path(sys.argv[1])), Path(sys.argv[2]))
