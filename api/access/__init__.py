"""Keys of programs, people and their logins, and the audit of all of it: on the gateway."""
