"""`python -m launcher`: what the bootstrap file at the root hands over to."""

from launcher.cli import main

main()
