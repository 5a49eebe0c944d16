"""A bundle as a file: how it is written, opened, verified, and changed by a delta.

doc/bundle_format.rst is the specification, for other languages as well. A file is never changed
where it lies: a new revision replaces it by a rename, so whoever has the old one open goes on
reading it.
"""

from authmw.bundle.file.apply import apply_delta, install_bundle, place_bundle
from authmw.bundle.file.delta import read_delta_header
from authmw.bundle.file.difference import make_delta
from authmw.bundle.file.header import FORMAT_VERSION, Header, Origin
from authmw.bundle.file.hot import Confirmation, HotFile, hot_path, read_hot, write_hot
from authmw.bundle.file.opening import Bundle, open_bundle, verify_bundle
from authmw.bundle.file.writing import write_bundle

__all__ = [
    "FORMAT_VERSION",
    "Bundle",
    "Confirmation",
    "Header",
    "HotFile",
    "Origin",
    "apply_delta",
    "hot_path",
    "install_bundle",
    "make_delta",
    "open_bundle",
    "place_bundle",
    "read_delta_header",
    "read_hot",
    "verify_bundle",
    "write_bundle",
    "write_hot",
]
