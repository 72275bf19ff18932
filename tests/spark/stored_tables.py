"""What every Delta store's tables are like, whoever wrote them; read with delta-rs, which both must be open to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from deltalake import DeltaTable

from fairsweep.stores.protocol import Run
from fairsweep.tables.catalogue import AUDIT_TABLES
from fairsweep.tables.schema import Table


def assert_documented_and_checked(folder: Path, table: Table) -> None:
    """Comments, NOT NULL, partitions and properties are as declared, and every Delta reader can read it."""
    delta = DeltaTable(folder / table.name)
    protocol = delta.protocol()
    # From writer version 3 on, whoever writes must evaluate the checks.
    assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 3)
    metadata = delta.metadata()
    assert metadata.description == table.comment
    assert metadata.partition_columns == (["run_id"] if table.partitioned else [])
    fields = {field.name: field for field in delta.schema().fields}
    assert tuple(fields) == table.column_names
    for column in table.columns:
        assert fields[column.name].metadata["comment"] == column.comment
        assert fields[column.name].nullable == column.nullable
    assert table.table_properties.items() <= metadata.configuration.items()


def assert_one_file_each_and_no_statistics(folder: Path, runs: Sequence[Run]) -> None:
    """Each run has one file in each result table, and the log tells nothing of its values."""
    for table in AUDIT_TABLES:
        for run in runs:
            files = list((folder / table / f"run_id={run.id}").glob("*.parquet"))
            assert len(files) == 1, table
        log = "".join(path.read_text() for path in (folder / table / "_delta_log").glob("*.json"))
        assert "numRecords" in log
        assert not re.search(r"minValues\\\":\{\\\"", log), table
