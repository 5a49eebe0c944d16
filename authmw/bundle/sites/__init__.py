"""What a centre that publishes bundles and the sites that fetch them agree on.

Names of roles and targets in the TUF repository, the JSON of heads, and how the TOML files of both
are read. Nothing here imports TUF, opens a socket or looks at a clock.
"""
