"""What was answered about a token or its bearer: how long it counts, where it is remembered."""
