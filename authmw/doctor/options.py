"""Checks the configuration itself: the filter that the paste file names, and every option."""

from __future__ import annotations

import difflib
import importlib
import importlib.metadata

from authmw.config.external_oauth2 import name_own_option, read_external_oauth2
from authmw.config.findings import Finding
from authmw.config.settings import Settings
from authmw.doctor.configuration import find_faults
from authmw.doctor.deployment import Deployment, show
from authmw.doctor.result import Result, Results, failed, of_finding, passed, skipped, warned
from authmw.doctor.sources import Source
from authmw.errors import ConfigurationError

# The log says at start that a directory has no keys; the checks of keys say why as well.
_LOOKED_AT_LATER = ("jws_public_key_repository", "public_key_repository")
# These read another section.
_EXTERNAL = (
    "authmw.external_oauth2_token:filter_factory",
    "egg:authmw#external_oauth2_token",
)
_FIX = "write paste.filter_factory = authmw:filter_factory"


def check_options(
    source: Source, *, token: str | None = None, service: str | None = None
) -> Results[Deployment | None]:
    """Check the configuration; returns the deployment that it describes, None if it can't be used.

    Args:
        source: the configuration.
        token, service: see `Deployment`.
    """
    if source.factory is not None:
        yield _check_factory(source.factory)
    conf = source.conf
    slips: list[Finding] = []
    if source.factory in _EXTERNAL:
        try:
            conf, slips = read_external_oauth2(conf)
        except ConfigurationError as error:
            yield of_finding("options", Finding.of_error(name_own_option(error)))
            yield skipped("all else", "no filter can be built from these options")
            return None
    settings, findings = find_faults(conf)
    findings = [
        *slips,
        *(finding for finding in findings if finding.option not in _LOOKED_AT_LATER),
    ]
    # A misspelt section explains why options are missing.
    for finding in sorted(findings, key=lambda one: one.option is not None):
        yield of_finding("options", finding)
    if settings is None:
        yield skipped("all else", "no filter can be built from these options")
        return None
    try:
        deployment = Deployment(
            settings, conf, source.factory, token, service or settings.public_endpoint
        )
    except ConfigurationError as error:
        yield failed("options", str(error).partition(": ")[0], error.fix)
        return None
    if not findings:
        yield passed("options", _describe(settings, deployment))
    return deployment


def _describe(settings: Settings, deployment: Deployment) -> str:
    parts = [f"token_validation = {settings.token_validation.value}"]
    if deployment.auth_url is not None and settings.auth is not None:
        parts.append(f"auth_type = {settings.auth.auth_type} at {show(deployment.auth_url)}")
    parts += [f"issuer {issuer.name}" for issuer in settings.issuers]
    return ", ".join(parts)


def _check_factory(factory: str) -> Result:
    """Tell whether paste finds the filter."""
    check = "paste"
    if "keystonemiddleware" in factory:
        return warned(check, f"the filter of this section is keystonemiddleware's: {factory}", _FIX)
    if factory.startswith("egg:"):
        package, _, name = factory.removeprefix("egg:").partition("#")
        names = _list_factories(package)
        if (name or "main") in names:
            return passed(check, factory)
        near = difflib.get_close_matches(name, names, n=1, cutoff=0)
        fix = f"write use = egg:{package}#{near[0]}" if near else _FIX
        return failed(check, f"{factory}: there is no such entry point", fix)
    module, _, attribute = factory.partition(":")
    if not attribute:
        return failed(check, "the section names no filter", _FIX)
    if module.partition(".")[0] != "authmw":
        return skipped(check, f"{factory} is another package's, and was not loaded")
    try:
        getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        return failed(check, f"{factory} can't be loaded ({error})", _FIX)
    return passed(check, factory)


def _list_factories(package: str) -> set[str]:
    """Return what a package offers to paste."""
    try:
        points = importlib.metadata.distribution(package).entry_points
    except importlib.metadata.PackageNotFoundError:
        return set()
    return {
        point.name
        for point in points
        if point.group in ("paste.filter_factory", "paste.app_factory")
    }
