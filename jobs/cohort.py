"""The cohort as a Spark job, with the flags of `fairsweep cohort`.

    spark-submit --py-files fairsweep.zip jobs/cohort.py --config cohort.yaml --catalog main --schema fairness

Returns if the cohort is done or was done before, and raises SystemExit with the exit code otherwise, because
schedulers ignore return values. Retrying after codes 2 and 3 gives the same result.
"""

from __future__ import annotations

import sys

from fairsweep.cli.main import main

if __name__ == "__main__":
    main(["cohort", *sys.argv[1:]])
