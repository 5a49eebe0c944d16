"""Who may do what: the rules that a service has registered with oslo.policy, tried by each persona.

    matrix = PolicyMatrix.make(cloud, inventory.policies.list_rules())
    print(matrix.render())

Each persona's request passes the real middleware, and oslo.policy decides about what oslo.context
reads of it. So a default that changes, here or in a library, is a changed line of a file.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from authmw.testing.cloud import Cloud
from authmw.testing.personas import PERSONAS, Persona
from authmw.token.headers import TOKEN_INFO

ANY: Final = "any"
OWN: Final = "own"
NONE: Final = "-"
FAILED: Final = "?"

_LEGEND: Final = (
    "# any: whoever it belongs to; own: what belongs to the caller's user, project or domain;\n"
    "# -: never; ?: the rule failed, as it needs more than is known here.\n"
)
# What a rule compares with the caller: %(project_id)s.
_TARGET_KEY: Final = re.compile(r"%\(([^)]+)\)s")
# Ends of their names, with "_" for ".", and whose id each is.
_OWNERS: Final = (("domain_id", "domain"), ("project_id", "project"), ("tenant_id", "project"))

Target = dict[str, str]
# Makes the credentials that a service hands to oslo.policy of an environ.
MakeContext = Callable[[dict[str, Any]], Any]


@dataclass(frozen=True)
class PolicyMatrix:
    """What each persona may do by each rule.

    Attributes:
        rules, personas: names, in the order of rows and columns.
        cells: by rule and persona: `ANY`, `OWN`, `NONE` or `FAILED`.
    """

    rules: tuple[str, ...]
    personas: tuple[str, ...]
    cells: Mapping[tuple[str, str], str]

    @classmethod
    def make(
        cls,
        cloud: Cloud,
        rules: Any,
        *,
        personas: Iterable[str | Persona] = PERSONAS,
        context: MakeContext | None = None,
        target: Mapping[str, str] | None = None,
    ) -> PolicyMatrix:
        """Try every rule with every persona.

        Args:
            cloud: started; its personas call.
            rules: the service's `oslo_policy.policy.Enforcer`, or its rules (`RuleDefault`s).
            personas: names of `PERSONAS`, or personas.
            context: makes what the service hands to its enforcer, of the environ of a request;
                by default an `oslo_context.context.RequestContext`, and the token body as `token`.
            target: members of what is acted on that are not about its owner, by the names that
                the rules have for them.
        """
        enforcer = _make_enforcer(rules)
        callers = [cloud.personas[one] if isinstance(one, str) else one for one in personas]
        texts = [str(check) for check in enforcer.rules.values()]
        keys = sorted({key for text in texts for key in _TARGET_KEY.findall(text)})
        names = sorted(enforcer.registered_rules)
        cells = {}
        for caller in callers:
            values = _read_credentials(cloud, caller, context or _make_context)
            own = {**_make_target(keys, values), **(target or {})}
            others = {**_make_target(keys, {}), **(target or {})}
            for name in names:
                cells[name, caller.name] = _try(enforcer, name, values, own, others)
        return cls(tuple(names), tuple(caller.name for caller in callers), cells)

    def render(self) -> str:
        """Return a table, one line a rule, for people and for a file."""
        heads = [name.partition("_")[::2] for name in self.personas]
        widths = [max(len(part) for part in (*head, FAILED, ANY)) for head in heads]
        first = max(map(len, self.rules), default=0)
        lines = [
            _join("", [head[0] for head in heads], first, widths),
            _join("", [head[1] for head in heads], first, widths),
        ]
        for rule in self.rules:
            cells = [self.cells[rule, persona] for persona in self.personas]
            lines.append(_join(rule, cells, first, widths))
        return _LEGEND + "".join(f"{line}\n" for line in lines)


def check_matrix(
    cloud: Cloud, rules: Any, file: Path, *, is_update: bool = False, **options: Any
) -> str:
    """Compare who may do what with a file; return the difference, "" if there is none.

    Args:
        cloud, rules, options: as for `PolicyMatrix.make`.
        file: with the rendered matrix.
        is_update: whether to write the file instead.
    """
    rendered = PolicyMatrix.make(cloud, rules, **options).render()
    if is_update:
        file.write_text(rendered)
        return ""
    if not file.exists():
        return f"{file} is not there yet: --authmw-update-policy-matrix writes it"
    difference = compare(file.read_text(), rendered, file)
    if not difference:
        return ""
    return f"{difference}--authmw-update-policy-matrix accepts this"


def compare(before: str, after: str, file: Path) -> str:
    """Return a unified diff of two rendered matrices; "" if they are equal."""
    lines = difflib.unified_diff(
        before.splitlines(keepends=True),
        after.splitlines(keepends=True),
        str(file),
        "what the rules say now",
        n=0,
    )
    return "".join(lines)


def _make_enforcer(rules: Any) -> Any:
    # Imported here: they are the service's libraries, not ours.
    from oslo_config import cfg
    from oslo_policy import opts, policy

    if isinstance(rules, policy.Enforcer):
        rules.load_rules()
        return rules
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[], default_config_dirs=[])
    # Not what happens to be on this machine.
    opts.set_defaults(conf, "there-is-none.yaml", policy_dirs=[])
    enforcer = policy.Enforcer(conf)
    enforcer.suppress_deprecation_warnings = True
    enforcer.suppress_default_change_warnings = True
    enforcer.register_defaults(list(rules))
    enforcer.load_rules()
    return enforcer


def _read_credentials(cloud: Cloud, caller: Persona, context: MakeContext) -> dict[str, Any]:
    """Return what oslo.policy gets to know of a persona, by way of the middleware."""
    seen: list[dict[str, Any]] = []

    def service(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        seen.append(environ)
        start_response("204 No Content", [])
        return []

    protected = cloud.protect(service)
    environ: dict[str, Any] = {"REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": "/"}
    for name, value in caller.headers.items():
        environ["HTTP_" + name.upper().replace("-", "_")] = value
    b"".join(protected(environ, lambda *_: None))
    if not seen:
        raise ValueError(f"the token of {caller.name} is refused: it may act nowhere")
    made = context(seen[0])
    values = made.to_policy_values() if hasattr(made, "to_policy_values") else made
    return {"token": dict(seen[0][TOKEN_INFO]["token"]), **values}


def _make_context(environ: dict[str, Any]) -> Any:
    from oslo_context.context import RequestContext

    return RequestContext.from_environ(environ)


def _make_target(keys: Iterable[str], owner: Mapping[str, Any]) -> Target:
    """Return what is acted on: it belongs to somebody, or to somebody else if `owner` is empty."""
    ids = {
        "user": owner.get("user_id"),
        "project": owner.get("project_id"),
        "domain": (
            owner.get("domain_id") or owner.get("project_domain_id") or owner.get("user_domain_id")
        ),
    }
    target = {}
    for key in keys:
        name = key.replace(".", "_")
        kind = next((kind for end, kind in _OWNERS if name.endswith(end)), None)
        if kind is None and name.endswith("user_id"):
            kind = "user"
        # None is no id: a rule would take it for equal to that of a caller without one.
        target[key] = "unknown" if kind is None else ids[kind] or f"{kind} of another"
    return target


def _try(enforcer: Any, rule: str, values: Mapping[str, Any], own: Target, others: Target) -> str:
    for cell, target in ((ANY, others), (OWN, own)):
        try:
            if enforcer.enforce(rule, dict(target), dict(values)):
                return cell
        except Exception:  # noqa: BLE001 - a check of the service's own may raise anything
            return FAILED
    return NONE


def _join(first: str, cells: Sequence[str], width: int, widths: Sequence[int]) -> str:
    padded = [cell.ljust(wide) for cell, wide in zip(cells, widths, strict=True)]
    return "  ".join([first.ljust(width), *padded]).rstrip()
