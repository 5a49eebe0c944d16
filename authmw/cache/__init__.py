"""Caches of bytes under sealed names: this process's memory, memcached, the request's environ."""
