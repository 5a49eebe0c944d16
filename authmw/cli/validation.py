"""Shows a validation step by step."""

from __future__ import annotations

from authmw.doctor.steps import Run
from authmw.doctor.times import describe_time, explain_times
from authmw.runtime.fingerprint import fingerprint
from authmw.token import Token


def render_run(run: Run, token: str, now: float) -> str:
    """Return a validation as text, without the token.

    Args:
        run: the validation.
        token: what was validated.
        now: epoch seconds.
    """
    lines = [f"token {fingerprint(token)}", ""]
    for step in run.steps:
        mark = "passed" if step.is_accepted else "FAILED"
        name = "  " * step.depth + step.name
        said = explain_times(_printable(step.decision), now)
        lines.append(f"  {mark}  {step.milliseconds:8.1f} ms  {name}: {said}")
    lines.append("")
    took = f"{run.milliseconds:.1f} ms"
    if run.token is not None:
        lines += [*_describe(run.token, now), "", f"accepted in {took}"]
    else:
        word = "refused" if run.status == 401 else "could not be validated"
        lines.append(f"{word} in {took}: a client gets {run.status}")
    return "\n".join(lines)


def make_run_document(run: Run, token: str) -> dict[str, object]:
    """Return the object of the JSON output."""
    return {
        "token": fingerprint(token),
        "status": run.status,
        "milliseconds": round(run.milliseconds, 3),
        "steps": [
            {
                "step": step.name,
                "decision": step.decision,
                "accepted": step.is_accepted,
                "milliseconds": round(step.milliseconds, 3),
                "depth": step.depth,
            }
            for step in run.steps
        ],
        "identity": None if run.token is None else _list_headers(run.token),
    }


def _list_headers(token: Token) -> dict[str, str]:
    """Return what the service is told, but for the catalog, by the names of headers."""
    return {
        name.removeprefix("HTTP_").replace("_", "-").title(): value
        for name, value in token.principal.user_environ.items()
        if name != "HTTP_X_SERVICE_CATALOG"
    }


def _describe(token: Token, now: float) -> list[str]:
    told = {
        name: value
        for name, value in _list_headers(token).items()
        # The deprecated copies say nothing new.
        if name not in ("X-Tenant", "X-Tenant-Id", "X-Tenant-Name", "X-User", "X-Role")
    }
    width = max(map(len, told), default=0)
    lines = [f"  {name.ljust(width)}  {_printable(value)}" for name, value in told.items()]
    lines.append(f"  {'issued'.ljust(width)}  {describe_time(int(token.issued_at), now)}")
    lines.append(f"  {'expires'.ljust(width)}  {describe_time(int(token.expires_at), now)}")
    return lines


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)
