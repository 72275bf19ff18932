"""Run records: the id of a run, and its row of `runs`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from fairsweep import stopping
from fairsweep.engines.protocol import ModelKey
from fairsweep.errors import FairsweepError, Problem
from fairsweep.stores.protocol import Run
from fairsweep.tables.catalogue import RUNS, TABLES
from fairsweep.tables.schema import SCHEMA_VERSION

if TYPE_CHECKING:
    import pyarrow as pa

    from fairsweep.config.sections import ModelSpec
    from fairsweep.engines.protocol import Counted, ModelState
    from fairsweep.input.intake import Window
    from fairsweep.runs.options import RunOptions
    from fairsweep.stores.protocol import RunRecord, Store

# Raised whenever the same input and config give other results than before.
SEMANTICS_VERSION = 4
UNNAMED = "unknown"
UNPINNED = "unpinned"


class Config(Protocol):
    """The checked config of a verb."""

    @property
    def model(self) -> ModelSpec | None:
        """The one model, where the config names it."""
        ...

    def config_json(self) -> str:
        """All of it."""
        ...

    def fingerprint_json(self) -> str:
        """The part that results depend on."""
        ...


Spec = TypeVar("Spec", bound=Config)


def program_version() -> str:
    """The installed version, or `unknown` where the package runs from a zip without its metadata."""
    try:
        return version("fairsweep")
    except PackageNotFoundError:
        return "unknown"


@dataclass(frozen=True)
class Batch(Generic[Spec]):
    """One job over one input: the shared fields of its runs.

    Attributes:
        verb: the verb, such as `audit`.
        spec: the checked config.
        window: the requested days.
        input_name: the path or table.
        input_version: the version of its content.
        engine: the engine that counts.
        started_at: when it began, UTC.
    """

    verb: str
    spec: Spec
    window: Window
    input_name: str
    input_version: str
    engine: str
    started_at: datetime

    @property
    def id(self) -> str:
        """The id of a run: the same job over the same input has the same id, independent of user and time."""
        return _hashed(
            self.verb, self.window.start, self.window.end, self.input_version, self.spec.fingerprint_json(),
            SEMANTICS_VERSION,
        )  # fmt: skip

    def run_id(self, key: ModelKey) -> str:
        """The run of one model."""
        return _hashed(self.id, *key)

    def keys(self, key: ModelKey) -> Mapping[str, object]:
        """The columns that every row of a run has."""
        return {
            "run_id": self.run_id(key),
            "model_id": key.model_id,
            "model_version": key.model_version,
            "window_start": self.window.start,
            "window_end": self.window.end,
        }

    def record(self, key: ModelKey, finished_at: datetime) -> RunRecord:
        """The run record of one model, as far as the batch knows it."""
        return {
            **self.keys(key),
            "batch_id": self.id,
            "verb": self.verb,
            "config_fingerprint": _hashed(self.spec.fingerprint_json()),
            "config_json": self.spec.config_json(),
            "fairsweep_version": program_version(),
            "schema_version": SCHEMA_VERSION,
            "semantics_version": SEMANTICS_VERSION,
            "engine": self.engine,
            "input_name": self.input_name,
            "input_version": self.input_version,
            "started_at": self.started_at,
            "finished_at": finished_at,
        }


@dataclass(frozen=True)
class Outcome:
    """The outcome of a verb.

    Attributes:
        tables: result tables and `runs`, the rows of the accepted models.
        state: `published` now, or `already_done` before.
        refused: the records of refused models.
        warehouse: the location of the tables, as text.
        warnings: warnings that are needed to interpret the figures.
    """

    tables: Mapping[str, pa.Table]
    state: str
    refused: tuple[RunRecord, ...] = ()
    warehouse: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def tables_with_refused(self) -> Mapping[str, pa.Table]:
        """The tables, in `runs` also the records of refused models, as they are stored."""
        if not self.refused:
            return self.tables
        import pyarrow as pa

        refused = TABLES[RUNS].rows([{"is_current": False, "checksums": "{}", **record} for record in self.refused])
        return {**self.tables, RUNS: pa.concat_tables([self.tables[RUNS], refused])}


def counted_columns(state: ModelState, counted: Counted) -> RunRecord:
    """The fields of a run record that the scan provides."""
    return {
        "counting": counted.counting,
        "counting_reason": counted.counting_reason,
        "rows_input": state.rows_input,
        "rows_used": state.rows_used,
        "rows_unscored": state.rows_unscored,
        "rows_refused": state.rows_refused,
    }


def done_before(batch: Batch[Any], store: Store, options: RunOptions) -> list[RunRecord] | None:
    """The records of the same batch, verified and made current again; None where it has to be run."""
    if options.force:
        return None
    records = store.find_runs(batch.id)
    if not records or any(record["status"] != "succeeded" for record in records):
        return None
    options.progress("Verifying what was published before")
    store.confirm(records)
    return records


def leave_a_trace(batch: Batch[Any], store: Store, error: Exception) -> None:
    """A failed run leaves its own record, where the store still takes one.

    The record has the kind of the error; the texts of unknown errors can hold values of rows.
    """
    if stopping.asked() is not None:
        return  # it did not fail
    model = batch.spec.model
    key = ModelKey(UNNAMED, UNNAMED) if model is None else ModelKey(model.id, model.version)
    said = one_line(error.problems) if isinstance(error, FairsweepError) else type(error).__name__
    with suppress(FairsweepError):
        # If the store cannot write, the error that is being raised already reports it.
        store.publish([Run(batch.record(key, now()) | {"status": "failed", "error": said})])


def now() -> datetime:
    """The clock, which results never depend on."""
    return datetime.now(UTC)


def _hashed(*parts: object) -> str:
    text = json.dumps([str(part) for part in parts])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def one_line(problems: Sequence[Problem]) -> str:
    """Problems as the one text of a record, of very many the first."""
    return "; ".join(FairsweepError(problems).lines)
