"""Libraries that read what the filter tells a service."""
