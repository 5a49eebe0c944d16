"""Makes a Keystone site: database, keys and the first administrator.

Run as a program with the configuration file and a directory for the signing key pair. It
does what the same commands of keystone-manage do, in one process: importing Keystone takes
two seconds, the six commands together less than one.
"""

from __future__ import annotations

import grp
import os
import pwd
import sys


def set_up(configuration_file: str, key_pair_directory: str, password: str) -> None:
    """Run the commands that a fresh site needs; raises whatever Keystone raises."""
    from keystone.cmd import cli

    os.chdir(key_pair_directory)  # create_jws_keypair writes to where it runs
    user = pwd.getpwuid(os.getuid()).pw_name
    group = grp.getgrgid(os.getgid()).gr_name
    owner = ["--keystone-user", user, "--keystone-group", group]
    # Every process puts its own address in the catalogs that it writes.
    endpoint = "$(public_endpoint)s/v3"
    bootstrap = ["bootstrap", "--bootstrap-password", password]
    for interface in ("public", "internal", "admin"):
        bootstrap += [f"--bootstrap-{interface}-url", endpoint]
    for command in (
        ["db_sync"],
        ["fernet_setup", *owner],
        ["receipt_setup", *owner],
        ["credential_setup", *owner],
        ["create_jws_keypair", *owner],
        [*bootstrap, "--bootstrap-region-id", "RegionOne"],
    ):
        cli.CONF.reset()
        cli.main(["keystone-manage", "--config-file", configuration_file, *command])


if __name__ == "__main__":
    set_up(*sys.argv[1:])
