"""The real parts: two processes with a filter each, an identity server, keys, and memcached.

Whatever happens here is written down in `history`, as the model reads it. Time stands still but
for `pass_time`.
"""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, Self

from authmw.testing import IdentityApiError, IdentityServer, Issuer
from authmw.testing.grants import Wanted
from authmw.testing.records import Grant, OnDomain, OnProject, OnSystem
from authmw.testing.revocations import RevokedAttributes
from tests.support.memcached import Memcached
from tests.support.programs import ROOT
from tests.system.model.happenings import (
    CacheChanged,
    ClockSet,
    Configuration,
    CredentialMade,
    Deleted,
    Disabled,
    Enabled,
    Event,
    Happening,
    Identity,
    KeyAdded,
    KeyRemoved,
    OutageBegan,
    OutageEnded,
    Outcome,
    Process,
    Request,
    Revocation,
    RoleGiven,
    RoleTaken,
    Scope,
    Started,
    Token,
    Told,
    TrustMade,
)

PROCESSES: tuple[Process, ...] = ("A", "B")
NOBODY = Token("")
# A thread that sleeps in real time does not notice driven time; a request does its work, once
# it is late by some two seconds. Two of them, so that one may find the other process at it.
_TICK_SECONDS = 4
_ANSWER_SECONDS = 30
# So that whole seconds and others are told apart.
_FRACTION = 0.4


class FilterProcess:
    """A process of its own that runs `tests.system.model.worker`."""

    def __init__(self, log: Path) -> None:
        self._log = log.open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.system.model.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=ROOT,
            text=True,
        )

    def do(self, what: str, now: float, **arguments: object) -> Any:
        """Have something done; see `tests.system.model.worker`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        watch = threading.Timer(_ANSWER_SECONDS, self._process.kill)
        watch.start()
        try:
            self._process.stdin.write(json.dumps({"do": what, "now": now, **arguments}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        finally:
            watch.cancel()
        answer = json.loads(line) if line else {"error": "no answer"}
        if "error" in answer:
            raise RuntimeError(f"{what}: {answer['error']}; see {self._log.name}")
        return answer["answer"]

    def end(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._log):
            with suppress(OSError):
                pipe.close()  # type: ignore[union-attr]


class Park:
    """What is started once for many estates: two processes and a memcached."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.memcached = Memcached(directory)
        self.processes = {name: FilterProcess(directory / f"{name}.log") for name in PROCESSES}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes.values():
            process.end()
        self.memcached.stop()


class Estate:
    """One deployment.

    Args:
        park: the processes to use; nobody else uses them meanwhile.
        configuration: what the model is told.
        differences: options that the filters get all the same, to see what a fault looks like.
    """

    def __init__(
        self,
        park: Park,
        configuration: Configuration,
        *,
        differences: Mapping[str, str] | None = None,
    ) -> None:
        self.configuration = configuration
        self.now = int(time.time()) + _FRACTION
        self.history: list[Event] = []
        self.tokens: list[Token] = []
        self.strings: dict[Token, str] = {NOBODY: ""}
        self.issuers: dict[str, Issuer] = {}
        self.server = IdentityServer(clock=lambda: self.now)
        self.trusts: list[TrustMade] = []
        self.credentials: list[CredentialMade] = []
        self._park = park
        self._ahead = 0
        self._snapshot: list[tuple[str, bytes]] | None = None
        self._directory = Path(tempfile.mkdtemp(prefix="estate-", dir=park.directory))
        self._keys = self._directory / "keys"
        # There is always one, as without any nobody could say who is refused.
        Issuer().write_public_key(self._keys, "another.pem")
        self.server.start()
        if configuration.sharing != "nothing":
            park.memcached.start()
            park.memcached.flush()
        self._options = {**self._make_options(), **(differences or {})}
        for row in sorted(self.server.directory.assignments, key=repr):
            role = self.server.directory.roles[row.role_id].name
            self._note(RoleGiven(self._user_name(row.user_id), role, self._scope(row.target)))
        self.add_key("first")
        for process in PROCESSES:
            self.start(process)

    def close(self) -> None:
        """End everything but the park."""
        for process in self._park.processes.values():
            process.do("close", self.host_now, steady=self.now)
        if self.server.is_running:
            self.server.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _make_options(self) -> dict[str, str]:
        options = {**self.server.service_credentials, **self.configuration.options()}
        if self.configuration.offline:
            options["jws_public_key_repository"] = str(self._keys)
        if self.configuration.sharing != "nothing":
            options["memcached_servers"] = self._park.memcached.address
            options["memcache_pool_dead_retry"] = "1"
            options["memcache_pool_socket_timeout"] = "1"
        if self.configuration.sharing == "sealed":
            options["memcache_security_strategy"] = "MAC"
            options["memcache_secret_key"] = secrets.token_hex(32)
        return options

    def _note(self, what: Happening) -> None:
        self.history.append(Event(self.now, what))

    # Processes and requests

    @property
    def host_now(self) -> float:
        """The time of the processes' clock."""
        return self.now + self._ahead

    def start(self, process: Process) -> None:
        """Start a process anew."""
        self._park.processes[process].do(
            "build",
            self.host_now,
            steady=self.now,
            options=self._options,
            temporary=str(self._directory),
        )
        self._note(Started(process))
        self._touch(process)

    def _touch(self, process: Process) -> None:
        """Let a process do what is due: it is a request that does what threads are late with."""
        self._park.processes[process].do("request", self.host_now, steady=self.now, headers={})

    def send(self, request: Request) -> Outcome:
        """Send a request and note what came of it."""
        headers = {}
        if request.user.name:
            headers["X-Auth-Token"] = self.strings[request.user]
        if request.service is not None:
            headers["X-Service-Token"] = self.strings[request.service]
        answer = self._park.processes[request.process].do(
            "request", self.host_now, steady=self.now, headers=headers
        )
        outcome = self._read(answer["status"], answer["told"])
        self._note(Told(request, outcome))
        return outcome

    def _read(self, status: int, told: Mapping[str, str]) -> Outcome:
        return Outcome(
            status,
            self._read_identity(told, "X-", told.get("X-Identity-Status")),
            self._read_identity(told, "X-Service-", told.get("X-Service-Identity-Status")),
        )

    def _read_identity(
        self, told: Mapping[str, str], prefix: str, is_confirmed: str | None
    ) -> Identity | Literal["Invalid"] | None:
        if is_confirmed is None:
            return None
        if is_confirmed != "Confirmed":
            return "Invalid"
        directory = self.server.directory
        scope: Scope = None
        if project_id := told.get(f"{prefix}Project-Id"):
            scope = ("project", directory.projects[project_id].name)
        elif domain_id := told.get(f"{prefix}Domain-Id"):
            scope = ("domain", directory.domains[domain_id].name)
        elif prefix == "X-" and told.get("OpenStack-System-Scope"):
            scope = ("system", told["OpenStack-System-Scope"])
        roles = frozenset(filter(None, told.get(f"{prefix}Roles", "").split(",")))
        return Identity(self._user_name(told[f"{prefix}User-Id"]), scope, roles)

    def _user_name(self, user_id: str) -> str:
        return self.server.directory.users[user_id].name

    def _scope(self, target: OnProject | OnDomain | OnSystem | None) -> Scope:
        match target:
            case OnProject(project_id):
                return ("project", self.server.directory.projects[project_id].name)
            case OnDomain(domain_id):
                return ("domain", self.server.directory.domains[domain_id].name)
            case OnSystem():
                return ("system", "all")
            case None:
                return None

    # Time

    def pass_time(self, seconds: int) -> None:
        """Let time pass, with a request to each process now and then."""
        if seconds >= 2 * _TICK_SECONDS:
            self.now += seconds - _TICK_SECONDS
            seconds = _TICK_SECONDS
            for process in PROCESSES:
                self._touch(process)
        self.now += seconds
        for process in reversed(PROCESSES):
            self._touch(process)

    def set_clock(self, ahead: int) -> None:
        """Set the clock of the processes' host, so much ahead of Keystone's."""
        self._ahead = ahead
        self._note(ClockSet(ahead))
        for process in PROCESSES:
            self._touch(process)

    # Tokens

    def log_in(
        self,
        user: str,
        scope: Scope,
        *,
        is_signed: bool,
        has_claims: bool = False,
        lifetime: int = 3600,
        key: str = "first",
        parent: Token | None = None,
    ) -> Token | None:
        """Get a token for a user; None if Keystone gives none."""
        wanted: Wanted = {"expires_in": lifetime}
        if scope is not None:
            kind, place = scope
            if kind == "project":
                wanted["project"] = place
            elif kind == "domain":
                wanted["domain"] = place
            else:
                wanted["system"] = True
        if parent is not None:
            wanted["parent_audit_id"] = parent.audit_ids[-1]
        return self._issue(user, wanted, is_signed=is_signed, has_claims=has_claims, key=key)

    def log_in_by_trust(self, trust: TrustMade, *, is_signed: bool) -> Token | None:
        """Get a token of a trust; None if Keystone gives none."""
        return self._issue(trust.trustee, {"trust": trust.trust}, is_signed=is_signed)

    def log_in_by_credential(self, credential: CredentialMade, *, is_signed: bool) -> Token | None:
        """Get a token of an application credential; None if Keystone gives none."""
        wanted: Wanted = {"application_credential": credential.credential}
        return self._issue(credential.user, wanted, is_signed=is_signed)

    def _issue(
        self,
        user: str,
        wanted: Wanted,
        *,
        is_signed: bool,
        has_claims: bool = False,
        key: str = "first",
    ) -> Token | None:
        try:
            if not is_signed:
                string = self.server.issue(user, **wanted)
            else:
                # The server gives out tokens of grants that it would not validate.
                self.server.issuer = self.issuers[key]
                string = self.server.issue_jws(user, names_and_roles=has_claims, **wanted)
                self.server.grant_of(string)
        except (IdentityApiError, LookupError):
            return None
        return self._remember(
            string, self.server.grant_issued(string), has_claims, key if is_signed else None
        )

    def _remember(self, string: str, grant: Grant, has_claims: bool, key: str | None) -> Token:  # noqa: FBT001
        token = Token(
            name=f"t{len(self.tokens)}",
            is_signed=key is not None,
            user=self._user_name(grant.user_id),
            scope=self._scope(grant.target),
            trust=grant.trust_id,
            credential=grant.application_credential_id,
            audit_ids=grant.audit_ids,
            issued_at=grant.issued_at,
            expires_at=grant.expires_at,
            signed_by=key,
        )
        if has_claims and key is not None:
            body = self.server.render(grant)
            roles: Any = body.get("roles", [])
            named = frozenset(role["name"] for role in roles)
            token = dataclasses.replace(token, claims=Identity(token.user, token.scope, named))
        self.tokens.append(token)
        self.strings[token] = string
        return token

    def forge(self, *, is_signed: bool, victim: Token | None = None) -> Token:
        """Make a token up: with somebody else's claims, where there is a victim."""
        if not is_signed:
            string = "gAAAAAB" + secrets.token_urlsafe(100)
        elif victim is not None and victim.is_signed:
            head, claims, signature = self.strings[victim].split(".")
            string = f"{head}.{claims}.{signature[-8:]}{signature[:-8]}"
        else:
            string = Issuer().sign({"sub": "somebody", "iat": int(self.now), "exp": 2**32})
        token = Token(
            name=f"t{len(self.tokens)}",
            is_signed=is_signed,
            signed_by="nobody" if is_signed else None,
            expires_at=2**32,
            is_genuine=False,
        )
        self.tokens.append(token)
        self.strings[token] = string
        return token

    # What is done in Keystone

    def revoke(self, token: Token) -> None:
        """Log out: this token and those made from it."""
        try:
            self.server.revoke(self.strings[token])
        except IdentityApiError:
            return  # it is no good any more
        self._note(Revocation("audit_id", token.audit_ids[0]))
        self._note(Revocation("audit_chain_id", token.audit_ids[0]))

    def emit_noise(self, count: int) -> None:
        """Revoke that many tokens that nobody uses."""
        for _ in range(count):
            noise = secrets.token_hex(8)
            self.server.emit(RevokedAttributes(audit_id=noise))
            self._note(Revocation("audit_id", noise))

    def change_password(self, user: str) -> None:
        """Change a password, which revokes all tokens of the user."""
        self.server.change_password(user, secrets.token_hex(8))
        self._note(Revocation("user_id", user))

    def disable_user(self, user: str) -> None:
        """Disable a user."""
        self.server.disable_user(user)
        self._note(Disabled("user", user))
        self._note(Revocation("user_id", user))

    def disable_project(self, project: str) -> None:
        """Disable a project."""
        self.server.disable_project(project)
        self._note(Disabled("project", project))

    def enable(self, kind: Literal["user", "project"], name: str) -> None:
        """Enable a user or a project again."""
        directory = self.server.directory
        with self.server.lock:
            if kind == "user":
                user = directory.user(name)
                directory.users[user.id] = dataclasses.replace(user, enabled=True)
            else:
                project = directory.project(name)
                directory.projects[project.id] = dataclasses.replace(project, enabled=True)
        self._note(Enabled(kind, name))

    def give_role(self, user: str, role: str, scope: Scope) -> None:
        """Assign a role."""
        with self.server.lock:
            self.server.directory.assign(role, user, **_where(scope))
        self._note(RoleGiven(user, role, scope))

    def take_role(self, user: str, role: str, scope: Scope) -> None:
        """Take a role away that the user holds."""
        self.server.remove_role(role, user, **_where(scope))
        self._note(RoleTaken(user, role, scope))

    def is_held(self, user: str, role: str, scope: Scope) -> bool:
        """Whether a role is assigned."""
        return any(
            (self._user_name(row.user_id), self._scope(row.target)) == (user, scope)
            and self.server.directory.roles[row.role_id].name == role
            for row in self.server.directory.assignments
        )

    def make_trust(self, trustor: str, trustee: str, project: str, *, impersonation: bool) -> None:
        """Let a trustee use the trustor's role `member`."""
        row = self.server.directory.add_trust(
            trustor=trustor,
            trustee=trustee,
            project=project,
            roles=["member"],
            impersonation=impersonation,
        )
        trust = TrustMade(row.id, trustor, trustee, ("project", project), "member", impersonation)
        self.trusts.append(trust)
        self._note(trust)

    def make_credential(self, user: str, project: str) -> None:
        """Make an application credential with the role `member`."""
        row = self.server.directory.add_application_credential(
            secrets.token_hex(4), user=user, project=project, roles=["member"]
        )
        made = CredentialMade(row.id, user, ("project", project), "member")
        self.credentials.append(made)
        self._note(made)

    def delete_trust(self, trust: TrustMade) -> None:
        """Delete a trust."""
        self.server.delete_trust(trust.trust)
        self._note(Deleted("trust", trust.trust))
        self._note(Revocation("trust_id", trust.trust))

    def delete_credential(self, credential: CredentialMade) -> None:
        """Delete an application credential."""
        self.server.delete_application_credential(credential.credential)
        self._note(Deleted("credential", credential.credential))

    # Keys, outages, memcached

    def has_key(self, key: str) -> bool:
        """Whether a public key is in the directory."""
        return (self._keys / f"{key}.pem").exists()

    def add_key(self, key: str) -> None:
        """Put a public key into the directory; a new one, or one that was there."""
        issuer = self.issuers.setdefault(key, Issuer())
        issuer.write_public_key(self._keys, f"{key}.pem")
        self._note(KeyAdded(key))

    def remove_key(self, key: str) -> None:
        """Take a public key out of the directory."""
        os.unlink(self._keys / f"{key}.pem")
        self._note(KeyRemoved(key))

    def begin_outage(self) -> None:
        """Let the identity service be gone for the filters; it goes on for everybody else."""
        self.server.stop()
        self._note(OutageBegan())

    def end_outage(self) -> None:
        """Let it be back."""
        self.server.start()
        self._note(OutageEnded())

    def flush_memcached(self) -> None:
        """Let memcached forget everything."""
        self._park.memcached.flush()
        self._note(CacheChanged("flushed"))

    def stop_memcached(self) -> None:
        """Let memcached be gone."""
        self._park.memcached.stop()
        self._note(CacheChanged("stopped"))

    def start_memcached(self) -> None:
        """Let it be back, empty."""
        self._park.memcached.start()
        self._note(CacheChanged("started"))

    @property
    def has_memcached(self) -> bool:
        """Whether memcached is used, and there."""
        return self.configuration.sharing != "nothing" and self._park.memcached.is_running()

    def keep_values(self) -> None:
        """Take a copy of everything that is in memcached."""
        with _Memcache(self._park.memcached.port) as memcache:
            self._snapshot = memcache.read_all()

    @property
    def has_snapshot(self) -> bool:
        """Whether a copy was taken."""
        return self._snapshot is not None

    def replay_values(self) -> None:
        """Put the copy back, as whoever can write to memcached may."""
        with _Memcache(self._park.memcached.port) as memcache:
            for key, value in self._snapshot or ():
                memcache.write(key, value)
        self._note(CacheChanged("replayed"))


def _where(scope: Scope) -> dict[str, Any]:
    assert scope is not None
    kind, place = scope
    return {"system": True} if kind == "system" else {kind: place}


class _Memcache:
    """Reads and writes what is in memcached as it is (its text protocol)."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self._file = self._socket.makefile("rwb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def read_all(self) -> list[tuple[str, bytes]]:
        self._ask("lru_crawler metadump all")
        keys = []
        while (line := self._file.readline()) not in (b"END\r\n", b""):
            if line.startswith(b"key="):
                keys.append(line[4:].partition(b" ")[0].decode())
        return [(key, value) for key in keys if (value := self._read(key)) is not None]

    def _read(self, key: str) -> bytes | None:
        self._ask(f"get {key}")
        line = self._file.readline()
        if line == b"END\r\n":
            return None
        flags, size = line.split()[2:4]
        value = self._file.read(int(size) + 2)[:-2]
        assert self._file.readline() == b"END\r\n"
        return flags + b" " + value

    def write(self, key: str, flagged: bytes) -> None:
        flags, _, value = flagged.partition(b" ")
        self._file.write(b"set %s %s 0 %d\r\n%s\r\n" % (key.encode(), flags, len(value), value))
        self._file.flush()
        assert self._file.readline() == b"STORED\r\n"

    def _ask(self, command: str) -> None:
        self._file.write(command.encode() + b"\r\n")
        self._file.flush()
