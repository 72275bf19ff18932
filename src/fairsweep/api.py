"""The Python API: audit a DataFrame, look at the result, try other cutoffs, publish it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fairsweep.auditing.column_checks import check_columns, window_of
from fairsweep.auditing.frames import engine_over
from fairsweep.auditing.loading import load_mapping
from fairsweep.auditing.state_versions import state_version
from fairsweep.auditing.verb import VERB, Assessed, AuditOutcome, assess, count, hide, publish, record_of, tables_told
from fairsweep.config.faults import describe
from fairsweep.config.scalars import is_number
from fairsweep.errors import DataRefusedError, Problem, UsageError
from fairsweep.runs.options import RunOptions
from fairsweep.runs.records import Batch, now

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from matplotlib.axes import Axes
    from pyspark.sql import DataFrame, SparkSession

    from fairsweep.auditing.spec import AuditSpec
    from fairsweep.engines.protocol import Counted, Engine
    from fairsweep.input.intake import Window

DEFAULT_CUTOFFS = {"start": 0, "stop": 1, "count": 1001}
DEFAULT_OPERATING_POINTS = ({"name": "population", "rule": "population_gbe", "target": 1.0},)
_KEYS = ("run_id", "model_id", "model_version", "window_start", "window_end")


def audit(  # noqa: PLR0913  (a config as arguments: one for each section)
    data: DataFrame | pd.DataFrame | pa.Table,
    *,
    score: str,
    label: str,
    attributes: Sequence[str | Mapping[str, Any] | Sequence[str]],
    flag_is: Literal["help", "sanction"],
    cutoffs: Mapping[str, Any] | Sequence[float] = DEFAULT_CUTOFFS,
    operating_points: Sequence[Mapping[str, Any]] = DEFAULT_OPERATING_POINTS,
    event_labels: Sequence[str | float | bool] = (1,),
    non_event_labels: Sequence[str | float | bool] | None = None,
    model: Mapping[str, str] | None = None,
    columns: Mapping[str, str] | None = None,
    unit: Literal["member", "prediction"] | None = None,
    weight_kind: Literal["sampling", "frequency", "exposure"] | None = None,
    score_kind: Literal["score", "probability"] = "score",
    discover: Mapping[str, Any] | Sequence[str] | None = None,
    training_population: Mapping[str, Mapping[str, float]] | None = None,
    verdict: Mapping[str, float] | None = None,
    privacy: Mapping[str, Any] | None = None,
    limits: Mapping[str, Any] | None = None,
    window_start: date | str | None = None,
    window_end: date | str | None = None,
    spark: SparkSession | None = None,
) -> AuditResult:
    """Audit a model's scores by group, at every cutoff, in one scan.

    Args:
        data: a Spark DataFrame (plain or Connect); a pandas DataFrame or a pyarrow Table is
            counted in this process, without Spark.
        score: the column of scores; a row is flagged where `score >= cutoff`.
        label: the column of outcomes.
        attributes: whose groups are compared: column names, mappings as in a config, or lists of names for
            intersections.
        flag_is: whether being flagged brings `help` or is a `sanction`.
        cutoffs: `{"start": 0, "stop": 1, "count": 1001}`, or the cutoffs themselves.
        operating_points: the cutoffs that groups are judged at, as in a config.
        event_labels: labels of events.
        non_event_labels: labels of non-events; by default all other labels.
        model: `{"id": ..., "version": ...}`; by default `model` and `1`.
        columns: further columns as in a config: `member`, `weight`, `scored_on`, `model_id` and `model_version`.
        unit: the meaning of a row: `member` (one row per member) or `prediction` (several rows per member).
        weight_kind: the kind of weights: inverse probabilities of `sampling`, `frequency`, or `exposure`.
        score_kind: `probability` if scores are probabilities, so that calibration can be computed.
        discover: attributes whose combinations are searched for subgroups in breach.
        training_population: by attribute, the share of each group in the training data of the model.
        verdict: `floor` and `alpha`.
        privacy: `minimum_cell_size`, by default 11: smaller counts of members are suppressed, and so is everything
            from which they could be derived; 0 shows everything. `allowed_attributes` names attributes that are
            reported although they look like identifiers of people.
        limits: as in a config.
        window_start: first day of `scored_on` in the window, UTC; a date or a text as in 2026-01-31.
        window_end: the day after the last day of the window.
        spark: a session; pandas and pyarrow data are then counted and written by it.

    Returns:
        The result, with every model of the data that was not refused.

    Raises:
        UsageError: with all problems of the arguments or columns.
        DataRefusedError: if no model's rows can be audited.
    """
    config: dict[str, Any] = {
        "flag_is": flag_is,
        "columns": {"score": score, "label": label, **_section(columns, "columns")},
        "event_labels": _listed(event_labels),
        "attributes": _listed(attributes),
        "cutoffs": cutoffs if isinstance(cutoffs, Mapping) else {"values": _listed(cutoffs)},
        "operating_points": _listed(operating_points),
        "score_kind": score_kind,
        **({"non_event_labels": _listed(non_event_labels)} if non_event_labels is not None else {}),
    }
    further = {
        "unit": unit, "weight_kind": weight_kind, "discover": discover, "training_population": training_population,
        "verdict": verdict, "privacy": privacy, "limits": limits,
    }  # fmt: skip
    config |= {name: _plain(value) for name, value in further.items() if value}
    if model is not None:
        config["model"] = _plain(model)
    elif not {"model_id", "model_version"} & set(columns or {}):
        config["model"] = {"id": "model", "version": "1"}
    spec = load_mapping(config, "fairsweep.audit")
    start, end = _day("window_start", window_start), _day("window_end", window_end)
    window = window_of(spec, start, end, ("window_start", "window_end"))
    return _audited(spec, window, *engine_over(data, spec, spark))


# Values of other types than `audit` expects are passed on unchanged: the config's checks report them.


def _plain(value: object) -> object:
    """Mappings and lists of any kind as those of a config."""
    return dict(value) if isinstance(value, Mapping) else _listed(value)


def _listed(value: object) -> object:
    """A list of plain values where something can be listed; a text is one value, not its letters."""
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        return value
    return [item if isinstance(item, str) else _plain(item) for item in value]


def _section(value: object, name: str) -> Mapping[str, Any]:
    if value is None or isinstance(value, Mapping):
        return value or {}
    raise UsageError(Problem(f"fairsweep.audit: {name}", describe(value), "a mapping", "write {key: value}"))


def _day(name: str, day: object) -> str | None:
    if isinstance(day, date) and not isinstance(day, datetime):
        return day.isoformat()
    if day is None or isinstance(day, str):
        return day
    raise UsageError(Problem(name, describe(day), "a date, or a text as in 2026-01-31", "give the day alone"))


def _audited(spec: AuditSpec, window: Window, engine: Engine, spark: SparkSession | None) -> AuditResult:
    started_at = now()
    inspection = engine.inspect()
    check_columns(spec, inspection)
    counted = count(spec, window, engine, inspection, lambda _: None)
    models = [hide(model) for model in assess(spec, window, engine, inspection, counted)]
    if all(model.problems for model in models):
        raise DataRefusedError(problem for model in models for problem in model.problems)
    version = state_version(counted, [grouping.attributes for grouping in spec.groupings])
    batch = Batch(VERB, spec, window, inspection.input_name, version, engine.name, started_at)
    return AuditResult(batch, counted, tuple(models), spark)


@dataclass(frozen=True, eq=False)
class AuditResult:
    """An audit's results in memory; nothing is stored until `write`."""

    _batch: Batch[AuditSpec]
    _counted: Counted
    _models: tuple[Assessed, ...]
    _spark: SparkSession | None
    _made: dict[str, pa.Table] = field(default_factory=dict)

    @cached_property
    def tables(self) -> dict[str, pa.Table]:
        """Every result table, and the record of the run, by name."""
        from fairsweep.tables.catalogue import RUNS, TABLES

        found = {name: self._table(name) for name in tables_told(self._batch.spec)}
        records = [record_of(self._batch, self._counted, model) for model in self._accepted]
        return found | {RUNS: TABLES[RUNS].rows([{"is_current": False, "checksums": "{}", **r} for r in records])}

    @property
    def _accepted(self) -> list[Assessed]:
        return [model for model in self._models if not model.problems]

    def _table(self, name: str) -> pa.Table:
        """One result table, built on first access: intervals of all disparities take the longest."""
        import pyarrow as pa

        from fairsweep.tables.catalogue import TABLES

        if name not in self._made:
            parts = [m.results.table(name, self._batch.keys(m.key)) for m in self._accepted]
            self._made[name] = pa.concat_tables([TABLES[name].arrow_schema.empty_table(), *parts])
        return self._made[name]

    @property
    def sweep(self) -> pd.DataFrame:
        """Counts and metrics of every group at every cutoff: the table `threshold_sweep`."""
        return self._shown("threshold_sweep")

    @property
    def metrics(self) -> pd.DataFrame:
        """Every metric of every group at every operating point, with verdicts: the table `group_metrics`."""
        return self._shown("group_metrics")

    @property
    def disparities(self) -> pd.DataFrame:
        """How groups differ from a reference, the rest and the overall population: the table `disparities`."""
        return self._shown("disparities")

    @property
    def operating_points(self) -> pd.DataFrame:
        """The cutoffs that were judged at: the table `operating_points`."""
        return self._shown("operating_points")

    @property
    def refused(self) -> pd.DataFrame:
        """Rows refused or unscored, by attribute, group, reason and label: the table `refused_counts`."""
        return self._shown("refused_counts")

    @property
    def ranking(self) -> pd.DataFrame:
        """How well scores rank and are calibrated, by group: the table `ranking`."""
        return self._shown("ranking")

    @property
    def reliability(self) -> pd.DataFrame:
        """Mean scores beside event rates, by group and range of scores: the table `reliability`."""
        return self._shown("reliability")

    @property
    def subgroups(self) -> pd.DataFrame:
        """The subgroups that the search of `discover` found: the table `subgroups`."""
        return self._shown("subgroups")

    @property
    def warnings(self) -> list[str]:
        """Warnings that are needed to interpret the figures, and the models that were refused."""
        refused = [f"{' '.join(m.key)} is refused: {problem}" for m in self._models for problem in m.problems]
        return refused + [warning for m in self._accepted for warning in m.warnings]

    def _shown(self, table: str) -> pd.DataFrame:
        several = {"model_id", "model_version"} if len(self._models) > 1 else set()
        hidden = [name for name in _KEYS if name not in several]
        frame: pd.DataFrame = self._table(table).drop_columns(hidden).to_pandas()
        return frame

    def at(self, cutoff: float, *, intervals: bool = False) -> pd.DataFrame:
        """Every group at another cutoff of the grid, without a rescan: exploration, no verdict.

        Args:
            cutoff: a cutoff of the grid.
            intervals: whether every metric has a separate row, with its interval.

        Returns:
            Columns as in `sweep`, or with intervals as in `metrics`; suppressed groups have no figures.

        Raises:
            UsageError: if the cutoff is not on the grid; it names both neighbours.
        """
        import pyarrow as pa

        if not is_number(cutoff):
            raise UsageError(Problem("cutoff", describe(cutoff), "a number on the grid", "for example result.at(0.5)"))
        parts = []
        for model in self._accepted:
            grid = model.assessment.grid
            index = grid.index_of(cutoff)
            if index is None:
                below, above = grid.neighbours(cutoff)
                near = " and ".join(repr(value) for value in (below, above) if value is not None)
                raise UsageError(
                    Problem(
                        "cutoff",
                        f"{cutoff!r}, which is not on the grid",
                        f"nearest: {near}",
                        "choose one of these",
                    )
                )
            keys = self._batch.keys(model.key)
            parts.append(model.results.table_at("group_metrics" if intervals else "threshold_sweep", index, keys))
        several = len(parts) > 1
        hidden = [name for name in _KEYS if not (several and name in {"model_id", "model_version"})]
        frame: pd.DataFrame = pa.concat_tables(parts).drop_columns(hidden).to_pandas()
        return frame

    def summary(self, width: int = 100) -> str:
        """The text summary that the command line shows."""
        from fairsweep.auditing.text import text

        return text(self.tables, width)

    def plot(self, attribute: str, ax: Axes | None = None) -> Axes:
        """Group benefit equality of an attribute's groups by cutoff, with intervals (needs the extra `plot`)."""
        from fairsweep.auditing.plots import plot

        return plot(self.sweep, attribute, ax, self._batch.spec.verdict.floor)

    def write(
        self,
        warehouse: str | Path | None = None,
        *,
        catalog: str | None = None,
        schema: str | None = None,
        force: bool = False,
    ) -> AuditOutcome:
        """Publish the result as a run, in a folder or in `catalog.schema`.

        Spark writes to catalogs and object stores; a local folder needs no Spark, unless the extra `local` is absent.

        Raises:
            UsageError: if the location is not a usable name.
            StorageError: if it cannot be written or read back.
        """
        from fairsweep.output.standard_error import without_panics
        from fairsweep.runs.connecting import place_of, store_for_results
        from fairsweep.runs.warehouse import refuse_unwritable

        options = RunOptions(
            warehouse=None if warehouse is None else str(warehouse),
            catalog=catalog,
            schema=schema,
            force=force,
        )
        refuse_unwritable(options, place_of(options).text, self._spark)
        store = store_for_results(options, self._spark)
        with without_panics():
            return publish(self._batch, self._counted, self._models, store, options)
