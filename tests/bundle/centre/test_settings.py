"""Mistakes in CENTRE.toml are named, with the value and what to write instead."""

from __future__ import annotations

import pytest

from tests.bundle.centre.centres import Centre

_START = '[centre]\nstate = "s"\nrepository = "w"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[centre", "is no TOML file"),
        ("[center]\n", "[top of the file] centre is not set"),
        ("[centre]\n", "[centre] state is not set: it is needed"),
        ('[centre]\nstate = "s"\n', "[centre] repository is not set: it is needed"),
        (
            _START + "kep_days = 3\n",
            "kep_days = 3: there is no such option; did you mean 'keep_days'",
        ),
        (_START + "keep_days = true\n", "[centre] keep_days = True: write a number"),
        (_START + "keep_days = nan\n", "[centre] keep_days = nan: write a number"),
        (_START + "most_deltas = 1.5\n", "[centre] most_deltas = 1.5: write an integer"),
        (_START + 'keystone_config = "k"\n', "keystone_config = 'k': write a list of texts"),
        ('[centre]\nstate = "s"\nrepository = "http://x"\n', "write a directory, or s3://BUCKET"),
        ('[centre]\nstate = "s"\nrepository = "s3:///x"\n', "write s3://BUCKET/PREFIX"),
        ('[centre]\nstate = "s"\nrepository = ""\n', "repository = '': write a text"),
        (_START + "[sites.Edge]\n", "[sites] Edge = {}: name it with lower-case letters"),
        (_START + "[sites.edge]\ndomain = ['x']\n", "did you mean 'domains'"),
        (_START + "[sites.edge]\nkeys = ['gcpkms:x']\n", "write the path of a file, or hsm:"),
        (_START + "[sites]\nedge = 1\n", "[sites] edge = 1: write a table: [sites.edge]"),
        (_START + "[roles.root]\nthreshold = 4\n", "threshold = 4: write an integer from 1 to 3"),
        (_START + "[roles.root]\nkeys = []\n", "[roles.root] keys = []: name at least one key"),
        (_START + "[roles.root]\nkeys = ['a', 'a']\n", "none twice"),
        (_START + "[roles.sites]\n", "[roles] sites = '...': there is no such option"),
        (_START + "[s4]\n", "[top of the file] s4 = '...': there is no such option"),
        (_START + "[roles.timestamp]\nexpires_days = 0\n", "expires_days = 0: write a number"),
    ],
)
def test_mistake_is_named(
    text: str, said: str, centre: Centre, capsys: pytest.CaptureFixture[str]
) -> None:
    centre.file.write_text(text)
    for command in ("init", "publish", "rotate", "status"):
        centre.run(command, status=2)
        captured = capsys.readouterr().err
        assert str(centre.file) in captured
        assert said in captured
    assert not centre.state.exists()


@pytest.mark.parametrize(
    "text",
    [
        "[pkcs11]\npin = '5577'\n",
        "[pkcs11]\npin_file = 5577\n",
        _START + "passphrase = '5577'\n",
        _START + "passphrase_file = ['5577']\n",
        _START + "[push]\nservers = ['tls://nats.example']\nPASSWORD = '5577'\n",
        _START + "[push]\nservers = ['tls://nats.example']\ntoken = '5577'\n",
        _START + "[s3]\nsecret_access_key = '5577'\n",
    ],
)
def test_secret_in_the_wrong_place_is_not_shown(
    text: str, centre: Centre, capsys: pytest.CaptureFixture[str]
) -> None:
    """Messages end up in the journal."""
    centre.file.write_text(text if _START in text else _START + text)
    centre.run("publish", status=2)
    captured = capsys.readouterr().err
    assert "'...': " in captured
    assert "5577" not in captured


def test_file_that_is_not_there_is_named(
    centre: Centre, capsys: pytest.CaptureFixture[str]
) -> None:
    centre.file.unlink()
    centre.run("publish", status=2)
    assert "can't be read: No such file" in capsys.readouterr().err


def test_a_centre_without_a_database_says_what_to_set(
    centre: Centre, capsys: pytest.CaptureFixture[str]
) -> None:
    centre.run("init")
    centre.run("publish", "--once", status=2)
    assert "[centre] keystone_config is not set" in capsys.readouterr().err
