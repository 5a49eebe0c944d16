"""Configuration: options, their types, how they are read, rules between them, `Settings`."""
