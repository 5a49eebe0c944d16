"""Import a module and build a filter with its `filter_factory`; print the milliseconds it took.

Processor time, not elapsed time: nothing is waited for but the file system, and on a busy
machine the rest of the elapsed time belongs to others.

Run as a program: `build_filter.py MODULE HIDDEN NAME=VALUE...`, where HIDDEN is a library to
do without, or "". It imports nothing that either contender would have to import too.
"""

import sys
from time import process_time_ns


def main() -> None:
    module, hidden, *options = sys.argv[1:]
    conf = dict(option.split("=", 1) for option in options)
    if hidden:
        sys.modules[hidden] = None  # type: ignore[assignment]
    start = process_time_ns()
    __import__(module)
    build = sys.modules[module].filter_factory({}, **conf)
    build(lambda _environ, _start_response: [])
    print((process_time_ns() - start) / 1e6)


if __name__ == "__main__":
    main()
