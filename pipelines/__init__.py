"""When batch work runs, and with which stores."""
