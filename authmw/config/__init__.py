"""Configuration: options, their types, where they are read, the rules between them, Settings."""
