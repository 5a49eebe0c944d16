"""Finds out what is wrong with a deployment; `authmw doctor` prints it.

One module for each group of checks. Nothing that serves requests imports this room.
"""
