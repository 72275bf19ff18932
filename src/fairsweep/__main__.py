"""`python -m fairsweep` is the command line."""

from fairsweep.cli.main import main

main()
