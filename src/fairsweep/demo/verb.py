"""The demo: generate the paper's population, and audit it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairsweep.auditing import AuditOutcome
    from fairsweep.runs.options import RunOptions


def run(folder: str | Path, options: RunOptions) -> tuple[AuditOutcome, Path, Path]:
    """Write the population and its config to a folder, and run the audit.

    Returns:
        The outcome, the Parquet file and the config file.
    """
    from fairsweep.auditing import audit_config
    from fairsweep.synthetic import falls

    options.progress("Generating 1,000,000 Medicare members")
    parquet, config = falls.write(Path(folder))
    return audit_config(config, options), parquet, config
