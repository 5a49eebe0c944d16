"""Connections with deadlines, to the identity endpoint and to memcached.

`deadline` is the time limit of a piece of work, `sockets` connects and holds every operation to
it, `tls` does the same for TLS. `addresses` names a server, `pem_files` loads the files that TLS
options name.
"""
