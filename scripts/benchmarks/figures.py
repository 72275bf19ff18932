"""Every figure as one declaration: the two sides, the sizes, and the target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

from scripts.benchmarks.data import ATTRIBUTES, ROWS_EACH

Measure = Literal["seconds", "seconds a group", "microseconds a row more", "peak memory", "shuffle bytes"]

SINGLES: tuple[tuple[str, ...], ...] = tuple((name,) for name in ATTRIBUTES)
JOINT: tuple[tuple[str, ...], ...] = (tuple(ATTRIBUTES),)
# What an audit asks for: each attribute, and all of them together.
ALL: tuple[tuple[str, ...], ...] = SINGLES + JOINT

# The default opponent of peers: the local engine.
OURS = "local" if find_spec("fairsweep.engines.local") else "catalyst"


@dataclass(frozen=True)
class Rows:
    """How many rows a side counts.

    Attributes:
        quick: with `--quick`.
        full: without.
        scales: whether `--rows` replaces it; otherwise it is only a bound from above.
    """

    quick: int
    full: int
    scales: bool = False

    def chosen(self, *, quick: bool, rows: int | None) -> int:
        """The number for one run of the benchmark."""
        usual = self.quick if quick else self.full
        if rows is None:
            return usual
        return rows if self.scales else min(usual, rows)


MANY = Rows(10_000_000, 50_000_000, scales=True)
MOST = Rows(20_000_000, 200_000_000, scales=True)
TWENTY_MILLION = Rows(20_000_000, 20_000_000)
TEN_MILLION = Rows(10_000_000, 10_000_000)
ONE_MILLION = Rows(1_000_000, 1_000_000)
HUNDRED_THOUSAND = Rows(100_000, 100_000)
A_THOUSAND = Rows(1_000, 1_000)
LINES = Rows(10_000_000, 50_000_000, scales=True)
MEMBERS = Rows(500_000, 2_500_000)
TWICE_THE_LINES = Rows(20_000_000, 100_000_000, scales=True)


@dataclass(frozen=True)
class Side:
    """One side of a ratio: who counts how many rows by what, at which cutoffs.

    With `claims` the rows are lines of claims, of one member for each 20 or of as many `members`; with `providers` they
    are of a provider for each 20.
    """

    contestant: str
    rows: Rows = MANY
    cutoffs: int | tuple[float, ...] = 1001
    groupings: tuple[tuple[str, ...], ...] = JOINT
    workers: int = 0
    claims: bool = False
    members: Rows | None = None
    providers: bool = False

    @property
    def steps(self) -> int:
        """How many cutoffs."""
        return self.cutoffs if isinstance(self.cutoffs, int) else len(self.cutoffs)


@dataclass(frozen=True)
class Figure:
    """One ratio of medians.

    Attributes:
        says: a description in words.
        numerator: the contestant in the numerator.
        denominator: the contestant in the denominator.
        target: the target; None if the figure is reported for comparison only.
        at_least: the target is a lower bound; otherwise an upper one.
        measure: the quantity whose ratio is taken; "microseconds a row more" is the difference in time for each row of
            the sweep that the numerator has more.
        limit: the upper limit of the numerator itself.
        compared: whether both sides answer the same question; only that is checked.
        together: both sides in one process.
        exclusive: never both sides' processes at once.
        full_only: skipped with `--quick`, unless it is requested by name.
    """

    says: str
    numerator: Side
    denominator: Side
    target: float | None = None
    at_least: bool = False
    measure: Measure = "seconds"
    limit: float | None = None
    compared: bool = True
    together: bool = False
    exclusive: bool = False
    full_only: bool = False

    @property
    def sides(self) -> tuple[Side, Side]:
        """Numerator and denominator."""
        return self.numerator, self.denominator

    def reached(self, ratio: float, numerator: float) -> bool | None:
        """Whether the target is reached; None where there is none."""
        if self.target is None:
            return None
        within = ratio >= self.target if self.at_least else ratio <= self.target
        return within and (self.limit is None or numerator <= self.limit)


def _more_cutoffs(contestant: str, name: str) -> Figure:
    return Figure(
        f"10,001 cutoffs against 11, five attributes, {name}",
        Side(contestant, cutoffs=10_001, groupings=SINGLES),
        Side(contestant, cutoffs=11, groupings=SINGLES),
        target=1.5,
    )


def _providers(contestant: str, groups: int) -> Side:
    rows = Rows(ROWS_EACH * groups, ROWS_EACH * groups)
    return Side(contestant, rows, 101, (("provider",),), providers=True)


def _more_groups(more: int, fewer: int, limit: float) -> Figure:
    return Figure(
        f"a whole local audit of {more:,} groups, cold process to published tables, against {fewer:,}, per group",
        _providers("audit-providers", more), _providers("audit-providers", fewer), target=1.2, limit=limit / more,
        measure="seconds a group", compared=False,
    )  # fmt: skip


def _peer(
    contestant: str, says: str, groupings: tuple[tuple[str, ...], ...], cutoffs: int | tuple[float, ...]
) -> Figure:
    """A peer that cannot count more, as a multiple of our own time."""
    theirs, ours = (Side(name, ONE_MILLION, cutoffs, groupings) for name in (contestant, OURS))
    return Figure(says, theirs, ours)


FIGURES: Mapping[str, Figure] = {
    "catalyst-against-scan": Figure(
        "Catalyst, five attributes' cells, levels unknown at first, against Spark's own scan of the same columns",
        Side("catalyst"), Side("spark-scan"), target=1.4, together=True,
    ),
    "catalyst-against-lean-scan": Figure(
        "the same against a scan that sums lengths, as Spark's maximum of text is slower than reading it",
        Side("catalyst"), Side("spark-lean-scan"), together=True,
    ),
    "arrow-against-duckdb": Figure(
        "the Arrow kernel in a warm Spark session against DuckDB's SQL", Side("arrow"), Side("duckdb"), target=1.0
    ),
    "local-against-duckdb": Figure(
        "the same kernel in the local engine against DuckDB's SQL", Side("local"), Side("duckdb"), target=0.8
    ),
    "audit-local-cold": Figure(
        "a whole local audit, cold process to published tables, against DuckDB's counts, window sums and Parquet write",
        Side("audit-local", groupings=SINGLES), Side("duckdb-cold"), target=1.5,
    ),
    "audit-spark-cold": Figure(
        "a whole Spark audit, cold, against the same on 1,000 rows",
        Side("audit-spark", groupings=SINGLES), Side("audit-spark", A_THOUSAND, groupings=SINGLES), target=2.0,
        compared=False,
    ),
    "spark-cold-small": Figure(
        "a cold Spark audit of 1,000 rows into a folder against a bare session that counts the rows of the same file",
        Side("audit-spark", A_THOUSAND, groupings=SINGLES), Side("spark-count", A_THOUSAND), target=1.6,
        compared=False,
    ),
    "audit-local-joint": Figure(
        "a whole local audit with the full intersection against DuckDB's counts, window sums and Parquet write of it",
        Side("audit-local", groupings=ALL), Side("duckdb-cold"), target=1.5,
    ),
    "audit-cutoffs-10001": Figure(
        "10,001 cutoffs against 11, whole local audits of five attributes",
        Side("audit-local", TWENTY_MILLION, 10_001, SINGLES), Side("audit-local", TWENTY_MILLION, 11, SINGLES),
        target=1.8,
    ),
    "published-row": Figure(
        "a row of the published sweep: 2,001 cutoffs against 11, whole local audits with the full intersection",
        Side("audit-local", TEN_MILLION, 2_001, ALL), Side("audit-local", TEN_MILLION, 11, ALL), target=2.5,
        measure="microseconds a row more",
    ),
    "cutoffs-10001": _more_cutoffs("local", "local engine"),
    "cutoffs-10001-arrow": _more_cutoffs("arrow", "Arrow kernel in Spark"),
    "cutoffs-10001-catalyst": _more_cutoffs("catalyst", "Catalyst"),
    "two-workers": Figure(
        "counting on one worker of one core against two", Side("cluster", MOST, workers=1),
        Side("cluster", MOST, workers=2), target=1.6, at_least=True, exclusive=True,
    ),
    "shuffle-bytes": Figure(
        "bytes shuffled when counting all rows against a fifth of them, 101 cutoffs: no place is empty in either",
        Side("shuffle", MOST, 101), Side("shuffle", Rows(4_000_000, 40_000_000), 101), target=1.1,
        measure="shuffle bytes", compared=False,
    ),
    "memory-200m": Figure(
        "peak memory of a whole local audit of most rows against ten million",
        Side("audit-local", MOST, groupings=SINGLES), Side("audit-local", TEN_MILLION, groupings=SINGLES),
        target=1.3, measure="peak memory", limit=1.5e9, compared=False,
    ),
    "fairlearn": Figure(
        "Fairlearn against `fairsweep.audit`, one cutoff, five attributes, from the same pandas frame in one process",
        Side("fairlearn", ONE_MILLION, (0.1,), SINGLES), Side("frame", ONE_MILLION, (0.1,), SINGLES), target=300,
        at_least=True, together=True,
    ),
    "groups-20000": _more_groups(20_000, 5_000, 10.0),
    "groups-100000": _more_groups(100_000, 20_000, 20.0),
    "groups-1000000": Figure(
        "a million groups, refused with an estimate before they are counted, against 100,000 judged and published",
        _providers("refused-providers", 1_000_000), _providers("audit-providers", 100_000), target=1.0, limit=240.0,
        compared=False, full_only=True,
    ),
    "evidence-intervals": Figure(
        "sweep of 1,000 groups x 1,001 cutoffs and its write, with an interval in each row against without",
        Side("sweep-intervals", ONE_MILLION), Side("sweep-alone", ONE_MILLION), target=1.5, compared=False,
        together=True,
    ),
    "evidence-disclosure": Figure(
        "disclosure control of that sweep against the sweep and its write",
        Side("disclosure", ONE_MILLION), Side("sweep-alone", ONE_MILLION), target=1.0, limit=10.0, compared=False,
        together=True,
    ),
    "evidence-members": Figure(
        "counting with sums over members' pairs of rows against counting rows, one and a half a member",
        Side("members", TEN_MILLION, groupings=SINGLES), Side("rows", TEN_MILLION, groupings=SINGLES), target=3.0,
        together=True,
    ),
    "evidence-bootstrap": Figure(
        "Fairlearn's bootstrap intervals against ours, one cutoff, five attributes, from the same pandas frame",
        Side("bootstrap", HUNDRED_THOUSAND, (0.1,), SINGLES), Side("intervals", HUNDRED_THOUSAND, (0.1,), SINGLES),
        compared=False, together=True,
    ),
    "cohort": Figure(
        "a whole cohort of three models, cold process to published tables, against one DuckDB query written by hand",
        Side("cohort", LINES, (0.5,), (("age_band",),), claims=True),
        Side("duckdb-cohort", LINES, (0.5,), (("age_band",),), claims=True),
    ),
    "cohort-doubled": Figure(
        "a whole cohort against the same members with half the lines of claims",
        Side("cohort", TWICE_THE_LINES, (0.5,), (("age_band",),), claims=True, members=MEMBERS),
        Side("cohort", LINES, (0.5,), (("age_band",),), claims=True, members=MEMBERS),
        target=2.0, compared=False,
    ),
    "catalyst-against-duckdb": Figure("Catalyst against DuckDB's SQL", Side("catalyst"), Side("duckdb")),
    "polars-against-duckdb": Figure("Polars against DuckDB's SQL", Side("polars"), Side("duckdb")),
    "pandas-loop": _peer("pandas", "a pandas loop, five attributes, 11 cutoffs", SINGLES, 11),
    "scikit-learn-loop": _peer("scikit-learn", "a scikit-learn loop, five attributes, 11 cutoffs", SINGLES, 11),
    "aequitas": _peer("aequitas", "Aequitas, five attributes, 11 cutoffs", SINGLES, 11),
    "aif360": _peer("aif360", "AIF360, one attribute of two groups, one cutoff", (("sex",),), (0.1,)),
    "spark-conditional-sums": _peer("spark-sums", "99 cutoffs as conditional sums, one attribute", (("race",),), 99),
    "spark-mllib": _peer("mllib", "MLlib for each of six groups, 1,001 cutoffs", (("race",),), 1001),
}  # fmt: skip
