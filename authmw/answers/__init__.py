"""Answers about a token or its bearer: how they are read, how long they are used, where stored."""
