"""The audit as a Spark job, with the flags of `fairsweep audit`.

    spark-submit --py-files fairsweep.zip jobs/audit.py --config audit.yaml --catalog main --schema fairness

Returns if the audit is done or was done before, and raises SystemExit with the exit code otherwise, because
schedulers ignore return values. Retrying after codes 2 to 4 gives the same result.
"""

from __future__ import annotations

import sys

from fairsweep.cli.main import main

if __name__ == "__main__":
    main(["audit", *sys.argv[1:]])
