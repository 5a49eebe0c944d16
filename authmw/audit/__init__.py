"""Lists the routes of an app that no check stands before; public as `authmw.audit_routes`."""
