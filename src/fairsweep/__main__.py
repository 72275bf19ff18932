"""`python -m fairsweep` is the command line."""

from fairsweep.surfaces.cli import main

main()
