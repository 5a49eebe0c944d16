"""The centre: makes a signed repository (TUF) of bundles for many sites, and keeps it new.

`doc/sites.rst` is for operators. What is decided is in the ADRs 0140 to 0142.
"""
