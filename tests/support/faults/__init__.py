"""Deployments with one fault each, and good ones: a table.

`table.FAULTS` and `table.GOOD` have a row each; `authmw doctor` names every fault with cause and
fix, and so does the log of the filter alone.
"""
