"""Labels of predictions: the lines of claims that are events of an outcome, found in one pass without a shuffle.

Code lists are broadcast and joined by hash; lines without a listed code are not shuffled. Only the few remaining lines
are joined with the predictions of their members.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from fairsweep.cohort.outcomes import CodeListSpec, CodeRangeSpec, EventSpec, HorizonSpec, OutcomeSpec

CLAIM_COLUMNS = "member_id STRING, claim_id STRING, line_number INT, start_date DATE, end_date DATE, setting STRING, \
codes ARRAY<STRUCT<system: STRING, position: INT, code: STRING>>, version DOUBLE, known_on DATE, reversal BOOLEAN"
PREDICTION_COLUMNS = "member_id STRING, scored_on DATE"
_PREDICTION = ("member_id", "scored_on")
_LINE = (
    "member_id", "claim_id", "line_number", "start_date", "end_date", "setting", "version", "known_on", "reversal",
)  # fmt: skip
_ENTRIES = "key STRING, low STRING, high STRING, width INT, is_primary BOOLEAN, flag BIGINT"
# The roles of a code in an event; each has a bit of a line's flags.
_CODES, _ALSO, _EXCLUDE = range(3)
_ROLES = 3


class _Form(NamedTuple):
    """The part of a code that is compared: its first characters or the whole code, within one system."""

    system: str
    length: int | None

    def __str__(self) -> str:
        """The form as the beginning of a key."""
        return f"{self.system} {'whole' if self.length is None else self.length} "


class _Entry(NamedTuple):
    """A line of the broadcast list: codes met by this form of this text, and within the range where there is one."""

    form: _Form
    text: str
    range: CodeRangeSpec | None = None

    def row(self, flag: int, *, is_primary: bool) -> tuple[object, ...]:
        """The line, as in `_ENTRIES`."""
        limits = (None, None, None) if self.range is None else (self.range.first, self.range.last, len(self.range.last))
        return (f"{self.form}{self.text}", *limits, is_primary, flag)


def labelled(predictions: DataFrame, claims: DataFrame, outcome: OutcomeSpec) -> DataFrame:
    """Every prediction with its label.

    Args:
        predictions: columns as in `PREDICTION_COLUMNS`; further ones are kept.
        claims: columns as in `CLAIM_COLUMNS`; codes are plain, a position counts from 1 for each system.
        outcome: the outcome.

    Returns:
        The predictions with `label` (1 or 0) and, for label 1, `label_date`, the first day on which the outcome was
        complete, and `label_claim_id`, the claim that completed it.
    """
    return with_labels(predictions, met_lines(predictions, claims, outcome), outcome)


def met_lines(predictions: DataFrame, claims: DataFrame, outcome: OutcomeSpec) -> DataFrame:
    """The lines that are an event of the outcome within the horizon of a prediction.

    Returns:
        Columns `scored_on` and those of `event_lines`; a line occurs once for each day of a score.
    """
    first, last = horizon(F.col("scored_on"), outcome.horizon)
    wanted = predictions.select(*_PREDICTION, first.alias("first_day"), last.alias("last_day")).distinct()
    inside = F.col("start_date").between(F.col("first_day"), F.col("last_day"))
    met = wanted.join(event_lines(claims, outcome.events), "member_id").where(inside)
    return met.drop("first_day", "last_day")


def with_labels(predictions: DataFrame, met: DataFrame, outcome: OutcomeSpec) -> DataFrame:
    """Every prediction with its label, as in `labelled`, from the valid event lines."""
    labels = _COMBINED[outcome.combination](met.select("*", F.explode("events").alias("event")), outcome)
    label = F.when(F.col("label_date").isNotNull(), 1).otherwise(0)
    return predictions.join(labels, [*_PREDICTION], "left").withColumn("label", label)


def horizon(scored_on: Column, spec: HorizonSpec) -> tuple[Column, Column]:
    """The first and the last day in which an outcome is looked for; see `HorizonSpec.bounds`."""
    start = F.date_add(scored_on, spec.offset)
    if spec.days is not None:
        return F.date_add(start, 1), F.date_add(start, spec.days)
    later = F.add_months(start, spec.months or 0)
    return F.date_add(start, 1), F.when(start == F.last_day(start), F.last_day(later)).otherwise(later)


def event_lines(claims: DataFrame, events: Sequence[EventSpec]) -> DataFrame:
    """The lines that are an event, with the positions of the events that each one is.

    Args:
        claims: columns as in `CLAIM_COLUMNS`.
        events: the events of the outcome.

    Returns:
        The columns of the claims except the codes; `events`, never empty; and `copies`, how often the same
        line occurs with the same codes.
    """
    asked = claims.where(F.col("setting").isin(sorted({setting for event in events for setting in event.settings})))
    # Rows of one line that differ in their codes are its long form; rows that are equal are copies.
    asked = asked.select("*", F.xxhash64("codes").alias("content"), F.monotonically_increasing_id().alias("row"))
    copies = (F.size(F.collect_set("row")) - F.size(F.collect_set("content")) + 1).alias("copies")
    rows, forms = [], set()
    for flag, is_primary, entry in _entries(events):
        rows.append(entry.row(flag, is_primary=is_primary))
        forms.add(entry.form)
    if not rows:
        flagged = asked.groupBy(*_LINE).agg(F.lit(0).cast("bigint").alias("flags"), copies)
    else:
        listed = F.broadcast(claims.sparkSession.createDataFrame(rows, _ENTRIES))
        keys = F.explode_outer(F.flatten(F.transform("codes", lambda code: _keys(code, sorted(forms, key=str)))))
        exploded = asked.select(*_LINE, "content", "row", keys.alias("met"))
        code = F.col("met.code")
        holds = (
            (F.col("met.key") == F.col("key"))
            & (F.col("low").isNull() | ((code >= F.col("low")) & (F.left(code, F.col("width")) <= F.col("high"))))
            & (~F.col("is_primary") | (F.col("met.position") == 1))
        )
        # A line without a listed code is an event only where the setting alone makes one.
        how = "left" if any(event.codes is None for event in events) else "inner"
        flags = F.coalesce(F.bit_or("flag"), F.lit(0)).alias("flags")
        flagged = exploded.join(listed, holds, how).groupBy(*_LINE).agg(flags, copies)
    each = [F.when(_is_event(i, event), F.lit(i)) for i, event in enumerate(events)]
    events_met = F.array_compact(F.array(*each)).alias("events")
    return flagged.select(*_LINE, events_met, "copies").where(F.size("events") > 0)


def _is_event(position: int, event: EventSpec) -> Column:
    has = [(F.col("flags").bitwiseAND(_flag(position, role))) != 0 for role in range(_ROLES)]
    found = F.col("setting").isin(list(event.settings))
    if event.codes is not None:
        found &= has[_CODES]
    if event.also is not None:
        found &= has[_ALSO]
    return found & ~has[_EXCLUDE]


def _flag(position: int, role: int) -> int:
    return 1 << (position * _ROLES + role)


def _entries(events: Sequence[EventSpec]) -> Iterator[tuple[int, bool, _Entry]]:
    """The codes of all lists, each with the flag of its event and role, and whether it must be the first diagnosis."""
    for position, event in enumerate(events):
        for role, codes in ((_CODES, event.codes), (_ALSO, event.also), (_EXCLUDE, event.exclude)):
            is_primary = role == _CODES and event.position == "primary"
            for system, listed in (codes.lists if codes is not None else {}).items():
                for entry in _of_list(system, listed):
                    yield _flag(position, role), is_primary, entry


def _of_list(system: str, listed: CodeListSpec) -> Iterator[_Entry]:
    for code in listed.exact:
        yield _Entry(_Form(system, None), code)
    for prefix in listed.prefix:
        yield _Entry(_Form(system, len(prefix)), prefix)
    for one in listed.range:
        yield _Entry(_Form(system, len(one.common)), one.common, one)


def _keys(code: Column, forms: Sequence[_Form]) -> Column:
    """All that one code could be met by."""
    made = []
    for form in forms:
        text = code["code"] if form.length is None else F.left(code["code"], F.lit(form.length))
        key = F.when(code["system"] == form.system, F.concat(F.lit(str(form)), text))
        made.append(F.struct(code["position"].alias("position"), code["code"].alias("code"), key.alias("key")))
    return F.array(*made)


def _any(met: DataFrame, _: OutcomeSpec) -> DataFrame:
    first = F.min(F.struct("start_date", "claim_id")).alias("first")
    return _labels(met.groupBy(*_PREDICTION).agg(first), F.col("first"))


def _all(met: DataFrame, outcome: OutcomeSpec) -> DataFrame:
    firsts = met.groupBy(*_PREDICTION, "event").agg(F.min(F.struct("start_date", "claim_id")).alias("first"))
    last = firsts.groupBy(*_PREDICTION).agg(F.count("*").alias("n"), F.max("first").alias("last"))
    return _labels(last.where(F.col("n") == len(outcome.events)), F.col("last"))


def _sequence(met: DataFrame, outcome: OutcomeSpec) -> DataFrame:
    if outcome.within is None:
        raise TypeError("a sequence has its days between the events")
    low, high = outcome.within.at_least, outcome.within.at_most
    lines = F.array_sort(F.collect_list(F.struct("start_date", "claim_id", "event", "end_date", "line_number")))
    of = met.groupBy(*_PREDICTION).agg(lines.alias("lines"))
    ends = F.transform(F.filter("lines", lambda line: line["event"] == 0), lambda line: line["end_date"])

    def follows(line: Column) -> Column:
        return (line["event"] == 1) & F.exists(
            "ends", lambda end: F.date_diff(line["start_date"], end).between(low, high)
        )

    second = of.withColumn("ends", ends).withColumn("then", F.get(F.filter("lines", follows), F.lit(0)))
    return _labels(second.where(F.col("then").isNotNull()), F.col("then"))


_COMBINED = {"any": _any, "all": _all, "sequence": _sequence}


def _labels(rows: DataFrame, line: Column) -> DataFrame:
    return rows.select(*_PREDICTION, line["start_date"].alias("label_date"), line["claim_id"].alias("label_claim_id"))
