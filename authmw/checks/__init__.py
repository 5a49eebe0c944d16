"""What a token must meet beyond being authentic: pure functions, without I/O or a clock."""
