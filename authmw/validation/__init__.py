"""Validators: remote, offline, the choice between them, and shadow validation."""
