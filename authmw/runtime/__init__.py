"""What belongs to one process or one request: clocks, locks, threads, the current request."""
