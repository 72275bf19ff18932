"""The audit as a Spark job, with the flags of `fairsweep audit`.

    spark-submit --py-files fairsweep.zip jobs/audit.py --config audit.yaml --catalog main --schema fairness

Returns when the audit is done or was done before, and raises SystemExit with the exit code otherwise:
schedulers ignore return values. Codes 2 to 4 are not worth retrying.
"""

from __future__ import annotations

import sys

from fairsweep.cli.main import main

if __name__ == "__main__":
    main(["audit", *sys.argv[1:]])
