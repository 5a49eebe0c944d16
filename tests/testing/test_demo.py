"""`authmw demo` as a newcomer runs it: a process of its own, with gunicorn in front."""

from __future__ import annotations

import dataclasses
import re
import signal
import subprocess
import sys

import pytest
import requests

from authmw.testing.demo.report import conclude, render_table
from authmw.testing.demo.scenes import SCENES, Outcome

pytestmark = pytest.mark.heavy

DEMO = [sys.executable, "-m", "authmw.cli", "demo"]
TIMEOUT_SECONDS = 60


def test_the_demo_ends_by_itself_and_says_that_all_is_well() -> None:
    finished = subprocess.run(
        DEMO, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
    )
    lines = finished.stdout.splitlines()
    assert finished.returncode == 0
    # People wait some seconds for the table, and are told what for.
    (progress,) = finished.stderr.splitlines()
    assert progress.startswith("demo: starting an identity service")
    assert lines[-1] == f"demo: ok, {len(SCENES)} requests, each answered as it should be"
    assert [line.split("  ")[0] for line in lines[2:-1]] == [scene.title for scene in SCENES]


@pytest.mark.slow
@pytest.mark.parametrize("end_signal", [signal.SIGINT, signal.SIGTERM])
def test_serving_demo_answers_until_it_is_interrupted(end_signal: signal.Signals) -> None:
    with subprocess.Popen(
        [*DEMO, "--serve"], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as demo:
        try:
            assert demo.stdout is not None
            printed = ""
            while "Press Ctrl-C" not in printed:
                line = demo.stdout.readline()
                assert line, f"the demo ended early:\n{printed}"
                printed += line
            (url,) = set(re.findall(r"curl -i (http\S+)", printed))
            token = re.findall(r"^MEMBER=(\S+)$", printed, re.MULTILINE)[0]
            (page_url,) = re.findall(
                r"^The playground, for a browser: (\S+)$", printed, re.MULTILINE
            )
            page = requests.get(page_url, timeout=10)
            refused = requests.get(url, timeout=10)
            answered = requests.get(url, headers={"X-Auth-Token": token}, timeout=10)
            demo.send_signal(end_signal)
            rest, _ = demo.communicate(timeout=TIMEOUT_SECONDS)
        finally:
            demo.kill()
    assert (refused.status_code, answered.status_code) == (401, 200)
    assert "<title>authmw playground</title>" in page.text
    assert answered.json()["caller"].startswith("member of Default, on project inventory")
    assert rest.splitlines()[-1].startswith("demo: ok")
    assert demo.returncode == 0
    for ended in (url, page_url):
        with pytest.raises(requests.ConnectionError):
            requests.get(ended, timeout=10)


@pytest.mark.parametrize(
    "changes", [{"status": 500}, {"caller": "root"}, {"status": 0, "caller": "no answer"}]
)
def test_one_wrong_answer_fails_the_demo_and_shows_in_the_table(
    changes: dict[str, int | str],
) -> None:
    right = [Outcome(scene, scene.status, scene.caller) for scene in SCENES]
    wrong = dataclasses.replace(right[4], **changes)  # type: ignore[arg-type]
    outcomes = [*right[:4], wrong, *right[5:]]
    assert conclude(right)[1] == 0
    assert conclude(outcomes) == (
        f"demo: FAILED, 1 of {len(SCENES)} answers are not as they should be",
        1,
    )
    assert "WRONG" not in render_table(right)
    assert render_table(outcomes).count("WRONG, should be") == 1


def test_a_demo_without_requests_is_no_success() -> None:
    assert conclude([])[1] == 1
