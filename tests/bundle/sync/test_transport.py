"""By which ways a site reaches a repository, and by which it does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bundle.sync.centre import Centre
from tests.bundle.sync.file_server import FileServer, _Handler
from tests.bundle.sync.site import SyncSite
from tests.support.certificates import Authority
from tests.support.processes import find_free_port

pytestmark = pytest.mark.heavy


def make_site(centre: Centre, directory: Path, url: str, http: str = "") -> SyncSite:
    root = (centre.directory / "metadata" / "1.root.json").read_bytes()
    return SyncSite(directory, "edge-1", url, root, http=http)


def redirect(location: str) -> Callable[[_Handler], None]:
    return lambda handler: handler.answer(302, b"", {"Location": location})


def test_server_s_certificate_is_verified(centre: Centre, tmp_path: Path) -> None:
    ours, others = Authority(tmp_path, "ours"), Authority(tmp_path, "others")
    with FileServer(centre.directory).running(ours.server_context("localhost")) as server:
        url = f"https://localhost:{server.port}"
        trusting = make_site(centre, tmp_path / "a", url, f'cafile = "{ours.cafile}"')
        assert trusting.sync() == ""
        assert trusting.revision == 7
        other = make_site(centre, tmp_path / "b", url, f'cafile = "{others.cafile}"')
        assert "TLS failed" in other.sync()
        unnamed = make_site(centre, tmp_path / "c", server.url, f'cafile = "{ours.cafile}"')
        assert "TLS failed" in unnamed.sync()
        plain = make_site(centre, tmp_path / "d", f"http://127.0.0.1:{server.port}")
        assert plain.sync()


def test_redirect_is_followed_and_not_to_http(centre: Centre, tmp_path: Path) -> None:
    ours = Authority(tmp_path, "ours")
    with (
        FileServer(centre.directory).running() as plain,
        FileServer(centre.directory).running(ours.server_context("localhost")) as storage,
        FileServer(centre.directory).running(ours.server_context("localhost")) as server,
    ):
        url = f"https://localhost:{server.port}"
        site = make_site(centre, tmp_path / "site", url, f'cafile = "{ours.cafile}"')
        head = "/metadata/timestamp.json"
        server.behaviours["timestamp.json"] = redirect(f"http://127.0.0.1:{plain.port}{head}")
        assert "a redirect to http, which is not followed" in site.sync()
        assert plain.asked == []
        server.behaviours["timestamp.json"] = redirect("ftp://localhost/x")
        assert "a redirect to no address" in site.sync()
        server.behaviours["timestamp.json"] = redirect(f"https://localhost:{storage.port}{head}")
        assert site.sync() == ""
        assert storage.asked == [(head, 200)]


def test_redirects_end(site: SyncSite, server: FileServer) -> None:
    server.behaviours["timestamp.json"] = redirect("/metadata/timestamp.json")
    server.asked.clear()
    assert "more than 3 redirects" in site.sync()
    assert len(server.asked) < 15


def test_proxy_of_the_environment_is_used(
    centre: Centre, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy is asked with the whole address, which this one takes for a path."""
    with FileServer(centre.directory).running() as proxy:
        asked = []

        def pass_on(handler: _Handler) -> None:
            asked.append(handler.path)
            handler.path = handler.path.removeprefix("http://127.0.0.1:9")
            proxy.behaviours.clear()
            handler.do_GET()
            proxy.behaviours["json"] = pass_on

        proxy.behaviours["json"] = pass_on
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "")
        site = make_site(centre, tmp_path / "site", "http://127.0.0.1:9")
        site.sync()
        assert "http://127.0.0.1:9/metadata/timestamp.json" in asked
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{find_free_port()}")
        assert "the proxy that the environment names can't be reached" in site.sync()


def test_connection_that_broke_is_made_again(site: SyncSite, server: FileServer) -> None:
    def hang_up(handler: _Handler) -> None:
        server.behaviours.clear()
        handler.close_connection = True

    server.behaviours["timestamp.json"] = hang_up
    assert site.sync() == ""


def test_no_server_is_said(centre: Centre, tmp_path: Path) -> None:
    site = make_site(centre, tmp_path / "site", f"http://127.0.0.1:{find_free_port()}")
    failure = site.sync()
    assert "the connection was refused" in failure
    assert not site.bundle.exists()


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('url = "http://bundles.example"', "write https://"),
        ('url = "https://ann:secret@bundles.example"', "without user"),
        ('url = "ftp://bundles.example"', "https://HOST/PATH"),
        ('site = "Edge"', "the name that the centre gave"),
        ('mode = "0666"', "nobody else may write"),
        ('mode = "rw"', "nobody else may write"),
        ("poll_seconds = 0", "a number from 0.1"),
        ('http.cafile = "missing.pem"', "cafile"),
        ('http.certfile = "key.pem"', "certfile"),
        ("http.insecure = true", "insecure"),
        ('bundel = "x"', "bundle"),
    ],
)
def test_wrong_options_are_named(written: str, said: str, tmp_path: Path) -> None:
    from authmw.bundle.sync.configuration import read_sync_configuration
    from authmw.errors import ConfigurationError

    lines = {
        "site": 'site = "edge-1"',
        "url": 'url = "https://bundles.example"',
        "trusted_root": 'trusted_root = "root.json"',
        "bundle": 'bundle = "cloud.bundle"',
    }
    file = tmp_path / "sync.toml"
    file.write_text("\n".join(lines.values()))
    assert read_sync_configuration(file).bundle == tmp_path / "cloud.bundle"
    lines[written.split(" ")[0]] = written
    file.write_text("\n".join(lines.values()))
    with pytest.raises(ConfigurationError, match=said) as raised:
        read_sync_configuration(file)
    assert written.split(" ")[0].rpartition(".")[2] in str(raised.value)
    assert "secret" not in str(raised.value)
