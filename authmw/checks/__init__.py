"""What a valid token must meet for one request: pure functions, without I/O or a clock."""
