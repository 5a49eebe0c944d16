"""A repository in S3-compatible storage: moto's server on the loopback, over real HTTP."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

boto3 = pytest.importorskip("boto3")
moto_server = pytest.importorskip("moto.server")

from tests.bundle.centre.centres import Centre, Site  # noqa: E402
from tests.support.bundle_facts import changed, facts  # noqa: E402

pytestmark = pytest.mark.heavy

EVERYONE_READS = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::cloud/*",
        }
    ],
}


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of storage with the bucket `cloud`."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "made-up")
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    client(url).create_bucket(Bucket="cloud")
    client(url).put_bucket_policy(Bucket="cloud", Policy=json.dumps(EVERYONE_READS))
    yield url
    server.stop()


def client(url: str) -> Any:
    return boto3.client("s3", endpoint_url=url, region_name="us-east-1")


@pytest.fixture
def centre(storage: str, tmp_path: Path) -> Centre:
    centre = Centre(tmp_path, "s3://cloud/authmw")
    centre.configure(
        f'[sites.edge-1]\n[sites.edge-2]\n[s3]\nendpoint = "{storage}"\nregion = "us-east-1"\n'
    )
    return centre


def test_sites_get_what_is_in_storage(centre: Centre, storage: str, tmp_path: Path) -> None:
    centre.run("init")
    centre.publish(facts(60))
    edge = Site(tmp_path / "site", "edge-2", f"{storage}/cloud/authmw", centre.root)
    assert edge.sync() == ["1.bundle"]
    centre.publish(changed(facts(60)))
    assert edge.sync() == ["1-2.delta"]
    centre.run("rotate", "timestamp")
    assert edge.head_of_centre().revision == 2


def test_what_never_changes_may_be_kept_by_caches(centre: Centre, storage: str) -> None:
    centre.run("init")
    centre.publish(facts(60))
    objects = client(storage).list_objects_v2(Bucket="cloud", Prefix="authmw/")["Contents"]
    seen = {}
    for each in objects:
        head = client(storage).head_object(Bucket="cloud", Key=each["Key"])
        seen[each["Key"]] = (head["CacheControl"], head["ContentType"])
    pointer = seen.pop("authmw/metadata/timestamp.json")
    assert pointer == ("public, max-age=1, must-revalidate", "application/json")
    assert {control for control, _ in seen.values()} == {"public, max-age=31536000, immutable"}
    # The copy that the other site got has them as well.
    assert sum(key.endswith(".1.bundle") for key in seen) == 3


def test_old_files_are_deleted(centre: Centre, storage: str) -> None:
    from authmw.bundle.centre.opening import open_store
    from authmw.bundle.centre.settings import load_centre_settings

    centre.run("init")
    store = open_store(load_centre_settings(centre.file))
    store.delete([f"metadata/{number}.root.json" for number in range(2000)])
    objects = client(storage).list_objects_v2(Bucket="cloud")["Contents"]
    assert "authmw/metadata/1.root.json" not in {each["Key"] for each in objects}
    assert "authmw/metadata/timestamp.json" in {each["Key"] for each in objects}


def test_storage_that_fails_is_tried_again_by_the_next_publish(
    centre: Centre, storage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    centre.run("init")
    centre.publish(facts(60))
    text = centre.file.read_text()
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    centre.file.write_text(text.replace(storage, f"http://127.0.0.1:{port}"))
    centre.publish(changed(facts(60)), status=1)
    assert "s3://cloud/authmw/" in capsys.readouterr().err
    centre.run("status", status=1)
    assert "not sent to its end" in capsys.readouterr().out
    edge = Site(tmp_path / "site", "edge-1", f"{storage}/cloud/authmw", centre.root)
    assert edge.sync() == ["1.bundle"]
    centre.file.write_text(text)
    centre.publish(changed(facts(60)))
    assert edge.sync() == ["1-2.delta"]
    assert edge.head_of_centre().revision == 3


def test_bucket_that_is_not_there_is_named(
    centre: Centre, capsys: pytest.CaptureFixture[str]
) -> None:
    centre.file.write_text(centre.file.read_text().replace("s3://cloud", "s3://nowhere"))
    centre.run("init", status=1)
    said = capsys.readouterr().err
    assert said.startswith("bundle: s3://nowhere/authmw/metadata/1.")
    assert "does not exist" in said
