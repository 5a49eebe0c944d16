"""A model of what the filter decides, and a test that drives real filters beside it.

`promises` has the delays that the documentation promises, `happenings` what can happen, `model`
the decision as a plain function of both. `estate` runs the real parts, `machine` draws what
happens. `make soak` runs it for ten minutes.
"""
