"""The `tradingsystem` command line: engines, supervision of processes, and one module per command."""
