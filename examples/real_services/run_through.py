"""The run, from the first request to the last."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from examples.real_services import figures
from examples.real_services.cases import Case, forge_headers, issue_tokens, list_cases
from examples.real_services.contenders import OFFLINE
from examples.real_services.instances import Instance, read_packaged_paste
from examples.real_services.one_line import change_factory, describe_change
from examples.real_services.outcome import Figure, Outcome, Row
from examples.real_services.services import SERVICES
from examples.real_services.stage import Stage


def run_through(stage: Stage) -> Outcome:
    """Send all requests and take all measurements; prints what it is about to do.

    Where an instance could not create anything, there is nothing to read and it ends there.
    """
    _announce("first use")
    measured = [Figure("first use", figures.measure_first_use(stage), "ms", 0)]
    _announce("members, strangers and forgers")
    tokens = issue_tokens(stage)
    rows = [_ask(stage, "member creates", lambda instance: instance.create(tokens.member), _201)]
    if all(instance.resource for instance in stage.instances):
        rows += [_read(stage, case) for case in list_cases(tokens, forge_headers(stage))]
        _announce("new tokens")
        new_tokens = figures.measure_new_tokens(stage)
        _announce("requests per second")
        rates = figures.measure_rates(stage.instances, tokens.member)
        _announce("revocation")
        revocation = figures.measure_revocation(stage)
        _announce("outage")
        rows.append(_read_in_outage(stage))
        measured += [
            Figure("new token", new_tokens, "ms", 1),
            Figure("requests/s", rates, "", 0),
            Figure("revocation", revocation, "s", 1),
            Figure("revocation, at most", _list_revocation_bounds(stage), "s", 0),
        ]
    names = [instance.name for instance in stage.instances]
    return Outcome(_describe_changes(), names, rows, measured)


def _ask(
    stage: Stage,
    what: str,
    ask: Callable[[Instance], int],
    want: Callable[[Instance], int],
) -> Row:
    return Row(
        what,
        statuses={instance.name: ask(instance) for instance in stage.instances},
        wanted={instance.name: want(instance) for instance in stage.instances},
    )


def _201(_: Instance) -> int:
    return 201


def _read(stage: Stage, case: Case) -> Row:
    return _ask(
        stage,
        case.what,
        lambda instance: instance.read(case.headers),
        lambda instance: case.wanted_status(instance.service),
    )


def _read_in_outage(stage: Stage) -> Row:
    before, headers = ({"X-Auth-Token": stage.issue_for_member().id} for _ in range(2))
    # Whoever holds a revoked token may have made a filter forget the member.
    for instance in stage.instances:
        instance.read(before)
    stage.keystone.jws.stop()
    return _ask(
        stage,
        "Keystone is down, new token",
        lambda instance: instance.read(headers),
        lambda instance: (
            200 if instance.contender is OFFLINE else instance.service.wanted["outage"]
        ),
    )


def _list_revocation_bounds(stage: Stage) -> Mapping[str, list[float]]:
    return {
        instance.name: [float(instance.contender.revocation_bound_seconds)]
        for instance in stage.instances
    }


def _describe_changes() -> list[str]:
    changes = []
    for service in SERVICES:
        paste = read_packaged_paste(service)
        name = service.paste_file.rpartition("/")[2]
        changes.append(describe_change(paste, change_factory(paste), name=name))
    return changes


def _announce(topic: str) -> None:
    print(f"{topic} ...", flush=True)
