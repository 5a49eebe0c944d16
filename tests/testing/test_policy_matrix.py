"""The matrix of personas and policy rules: what it says, and that a changed default shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from oslo_config import cfg
from oslo_policy import policy

from authmw.testing import PERSONAS, Cloud, PolicyMatrix
from authmw.testing.policy_matrix import check_matrix

RULES = (
    policy.RuleDefault("items:list", "role:reader and project_id:%(project_id)s"),
    policy.RuleDefault("items:mine", "user_id:%(item.user_id)s"),
    policy.RuleDefault("items:in_domain", "role:manager and domain_id:%(target.domain.id)s"),
    policy.RuleDefault("items:all", "role:reader", scope_types=["system"]),
    policy.RuleDefault("items:never", "!"),
    policy.RuleDefault("items:secret", "role:admin and level:%(level)s"),
    policy.DocumentedRuleDefault(
        "items:renamed",
        "role:manager",
        "Items renamed.",
        [{"path": "/", "method": "GET"}],
        deprecated_rule=policy.DeprecatedRule(
            "items:former", "role:member", deprecated_reason="roles", deprecated_since="1"
        ),
    ),
)


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with Cloud() as running:
        yield running


def test_each_cell_says_whose_things_a_persona_may_act_on(cloud: Cloud) -> None:
    cells = PolicyMatrix.make(cloud, RULES).cells
    assert cells["items:list", "project_reader"] == "own"
    assert cells["items:list", "domain_reader"] == "-", "None is not the id of a project"
    assert {cells["items:mine", persona] for persona in PERSONAS} == {"own"}
    assert cells["items:in_domain", "domain_manager"] == "own"
    assert cells["items:in_domain", "project_manager"] == "-"
    assert cells["items:all", "system_reader"] == "any"
    assert cells["items:all", "project_admin"] == "-", "the scope counts"
    assert {cells["items:never", persona] for persona in PERSONAS} == {"-"}
    assert cells["items:secret", "system_admin"] == "-"


def test_a_context_and_a_target_of_the_service_s_own_count(cloud: Cloud) -> None:
    auditor = cloud.personas.having("auditor", project="inventory")
    cells = PolicyMatrix.make(
        cloud,
        RULES,
        personas=["project_admin", auditor],
        context=lambda environ: {"roles": ["admin"], "level": environ["HTTP_X_USER_NAME"]},
        target={"level": "project_auditor"},
    ).cells
    assert cells["items:secret", "project_auditor"] == "any"
    assert cells["items:secret", "project_admin"] == "-"


def test_a_policy_file_of_the_service_s_enforcer_counts(cloud: Cloud, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text('"items:never": "role:admin"\n')
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[], default_config_dirs=[])
    enforcer = policy.Enforcer(conf, policy_file=str(tmp_path / "policy.yaml"))
    enforcer.register_defaults(RULES)
    enforcer.suppress_deprecation_warnings = True
    matrix = PolicyMatrix.make(cloud, enforcer)
    assert matrix.cells["items:never", "domain_admin"] == "any"


def test_a_rule_that_raises_is_shown_as_that(cloud: Cloud) -> None:
    class Broken(policy.Check):
        def __call__(self, *_: object) -> bool:
            raise ZeroDivisionError

    policy.register("broken_for_this_test", Broken)
    rules = [policy.RuleDefault("items:odd", "broken_for_this_test:x")]
    matrix = PolicyMatrix.make(cloud, rules, personas=["project_admin"])
    assert set(matrix.cells.values()) == {"?"}


def test_a_changed_default_is_a_changed_line(cloud: Cloud, tmp_path: Path) -> None:
    file = tmp_path / "policy.txt"
    assert "--authmw-update-policy-matrix writes it" in check_matrix(cloud, RULES, file)
    assert check_matrix(cloud, RULES, file, is_update=True) == ""
    assert check_matrix(cloud, RULES, file) == ""
    changed = [policy.RuleDefault("items:never", "role:member"), *RULES[:4], *RULES[5:]]
    difference = check_matrix(cloud, changed, file)
    (gone,) = [line for line in difference.splitlines() if line.startswith("-items")]
    (come,) = [line for line in difference.splitlines() if line.startswith("+items")]
    assert gone.split() == ["-items:never", *["-"] * 13]
    assert come.split().count("any") == 9


@pytest.mark.heavy
def test_a_real_service_s_rules_are_read_with_their_targets(cloud: Cloud) -> None:
    from keystone.common import policies

    cells = PolicyMatrix.make(cloud, policies.list_rules()).cells
    assert "?" not in cells.values()
    assert cells["identity:create_user", "domain_manager"] == "own"
    assert cells["identity:create_user", "project_admin"] == "any"
    assert cells["identity:create_application_credential", "project_reader"] == "own"
    assert cells["identity:list_users", "system_reader"] == "any"
    assert cells["identity:get_user", "project_member"] == "own"
