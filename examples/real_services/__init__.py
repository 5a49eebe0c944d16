"""Real OpenStack services behind authmw and behind keystonemiddleware: see README.rst."""
