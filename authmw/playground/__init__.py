"""The playground: a page that sends requests to the real middleware and shows each of its steps.

`make demo SERVE=1` serves it. `modes` are the deployments to try, `worlds` makes one of them,
`personas` are the callers, `watching` watches one request, `pages` answers browsers, `server` is
the port on the loopback interface.
"""
