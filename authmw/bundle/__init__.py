"""An authority bundle: the facts that decide what a token may do, in one local file.

What is in it (`authmw.bundle.facts`), and what a token may do by it (`authmw.bundle.evaluate`).
"""
