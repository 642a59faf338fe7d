"""What every HTTP process shares: application factory, access, errors, telemetry, health, documentation page.

The kernel knows no service: `realtime/server.py` and `launcher/server.py` build on it as well.
"""
