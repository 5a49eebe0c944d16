"""The WSGI side of the middleware: start_response, bodies, refusals, CORS, subclass hooks."""
