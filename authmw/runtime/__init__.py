"""State of one process or one request: clocks, single flight, threads, the current request."""
