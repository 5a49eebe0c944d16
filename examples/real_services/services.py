"""The services: how each is set up on SQLite and served, and what a member does with it.

Where a configuration holds more than a database, the options are those without which the
service does not start.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from examples.real_services.client import Answer, Client

CONTENT = b"only members of the project may read this"


@dataclass(frozen=True, slots=True)
class Service:
    """One service. Texts may hold {directory}, {url} and {authtoken}, filled in per instance.

    Attributes:
        service_type: its type in Keystone's catalog.
        paste_file: its own, relative to the prefix it is installed under.
        configuration_file: where it looks for its configuration, relative to its directory.
        database_command: makes its tables.
        application: gunicorn's arguments that name what to serve.
        collection: the path of what a member creates and lists.
        create: stores CONTENT; returns the answer that tells its address.
        content_path: appended to a resource's path, gives CONTENT.
        wanted: the status for each kind of stranger, and for an outage of Keystone, as the
            service itself decides.
    """

    name: str
    service_type: str
    paste_file: str
    configuration_file: str
    configuration: str
    database_command: tuple[str, ...]
    application: tuple[str, ...]
    environ: Mapping[str, str]
    collection: str
    create: Callable[[Client, str], Answer]
    content_path: str
    wanted: Mapping[str, int]

    def find_path(self, created: Answer) -> str:
        """Return the path of what was created, from the answer to its creation."""
        body: dict[str, str] = created.json()
        # Barbican tells a URL, and ends it with the id.
        address = body.get("secret_ref") or body["id"]
        return f"{self.collection}/{address.rpartition('/')[2]}"


def _create_image(client: Client, token: str) -> Answer:
    image = {"name": "example", "disk_format": "raw", "container_format": "bare"}
    created = client.send(
        "POST",
        "/v2/images",
        headers={"X-Auth-Token": token, "Content-Type": "application/json"},
        body=json.dumps(image).encode(),
    )
    if created.status != 201:
        return created
    uploaded = client.send(
        "PUT",
        f"/v2/images/{created.json()['id']}/file",
        headers={"X-Auth-Token": token, "Content-Type": "application/octet-stream"},
        body=CONTENT,
    )
    return created if uploaded.status == 204 else uploaded


def _create_secret(client: Client, token: str) -> Answer:
    secret = {
        "name": "example",
        "payload": CONTENT.decode(),
        "payload_content_type": "text/plain",
    }
    return client.send(
        "POST",
        "/v1/secrets",
        headers={"X-Auth-Token": token, "Content-Type": "application/json"},
        body=json.dumps(secret).encode(),
    )


GLANCE = Service(
    name="glance",
    service_type="image",
    paste_file="etc/glance/glance-api-paste.ini",
    configuration_file="glance-api.conf",
    configuration="""\
[DEFAULT]
enabled_backends = files:file
node_staging_uri = file://{directory}/staging
worker_self_reference_url = {url}
[paste_deploy]
flavor = keystone
config_file = {directory}/paste.ini
[database]
connection = sqlite:///{directory}/service.db
[glance_store]
default_backend = files
[files]
filesystem_store_datadir = {directory}/images
[os_glance_staging_store]
filesystem_store_datadir = {directory}/staging
[os_glance_tasks_store]
filesystem_store_datadir = {directory}/tasks
{authtoken}
""",
    database_command=(
        "glance-manage",
        "--config-file={directory}/glance-api.conf",
        "db_sync",
    ),
    application=("glance.wsgi.api:application",),
    environ={"OS_GLANCE_CONFIG_DIR": "{directory}"},
    collection="/v2/images",
    create=_create_image,
    content_path="/file",
    # It hides what exists. Its own paste file has delay_auth_decision = true, hence it sees
    # an outage as it sees an invalid token, whichever filter stands before it.
    wanted={"neighbour": 404, "visitor": 404, "unscoped": 404, "outage": 401},
)

BARBICAN = Service(
    name="barbican",
    service_type="key-manager",
    paste_file="etc/barbican/barbican-api-paste.ini",
    configuration_file=".barbican/barbican.conf",
    configuration=f"""\
[DEFAULT]
host_href = {{url}}
[database]
connection = sqlite:///{{directory}}/service.db
[simple_crypto_plugin]
kek = {base64.urlsafe_b64encode(os.urandom(32)).decode()}
{{authtoken}}
""",
    database_command=(
        "barbican-manage",
        "db",
        "upgrade",
        "--db-url=sqlite:///{directory}/service.db",
    ),
    application=("--paste={directory}/paste.ini",),
    # It looks for its configuration in ~/.barbican.
    environ={"HOME": "{directory}"},
    collection="/v1/secrets",
    create=_create_secret,
    content_path="/payload",
    wanted={"neighbour": 403, "visitor": 403, "unscoped": 401, "outage": 503},
)

SERVICES = (GLANCE, BARBICAN)
