"""What an operator may change without touching code: settings, the service manifest, secrets of a data directory."""
