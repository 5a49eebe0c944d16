"""The filter in processes of servers other than gunicorn, and in one that reads its file again."""

CONF_VARIABLE = "HOSTED_SERVICE_CONF"
"""Of the environment: tells a process where the configuration file of its filter is."""
