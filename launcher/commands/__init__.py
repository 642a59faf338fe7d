"""One module per command of `launcher.cli.COMMANDS`."""
