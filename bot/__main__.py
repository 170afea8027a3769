"""`python -m bot`."""

from bot import cli

cli.main()
