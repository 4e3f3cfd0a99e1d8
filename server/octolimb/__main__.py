"""`python -m octolimb`."""

from octolimb.cli.main import main

main()
