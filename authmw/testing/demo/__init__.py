"""The demo: a small inventory service behind authmw, and an identity service to go with it.

`inventory` is the service, `stage` starts everything, `scenes` are the requests, `report`
is the table. Run it with `make demo` or `authmw demo`.
"""
