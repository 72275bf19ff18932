"""A million Medicare members with severe-fall risk scores: the published example of Group Benefit Equality.

The example prints rates, not rows. `CELLS` is a population that gives every printed figure at the cutoff
0.071, where a member is flagged when `score >= 0.071`. In each sex and age cell the scores are quantiles of a
Beta distribution whose mean is the cell's event rate and whose share above 0.071 is the cell's flagged share,
so the scores add up to the events of the cell: calibrated for every sex and age band, yet below 0.8 at 65-74.

Nothing is drawn from a random generator. Scores are whole millionths, events fall as evenly as the risks
allow, and attributes that the example does not fix (race, dual status, disability, single years of age) are chosen from
illustrative shares by a written-out integer hash: every machine and library version builds the same members.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Cell:
    """One sex and age band: members, events, and at the cutoff 0.071 flagged members and true positives."""

    sex: str
    age_band: str
    members: int
    events: int
    flagged: int
    true_positives: int


@dataclass(frozen=True)
class Choice:
    """How members divide over the values of one attribute.

    The log share of a value moves by `score_slope` per 0.071 of score (up to twice) and by `event_shift` for
    members with the event, so that groups differ in risk, and the score sees only part of it.
    """

    values: tuple[str, ...]
    score_slope: tuple[float, ...]
    event_shift: tuple[float, ...]


CUTOFF_MILLIONTHS = 71_000
PARQUET_NAME, CONFIG_NAME = "falls.parquet", "demo.yaml"

CELLS = (
    Cell("female", "18-64", 60_000, 360, 522, 50),
    Cell("female", "65-74", 255_000, 1_530, 1_132, 101),
    Cell("female", "75-84", 158_253, 1_867, 1_979, 179),
    Cell("female", "85+", 70_000, 1_540, 2_098, 188),
    Cell("male", "18-64", 66_000, 297, 371, 35),
    Cell("male", "65-74", 229_000, 985, 571, 51),
    Cell("male", "75-84", 122_747, 1_043, 970, 88),
    Cell("male", "85+", 39_000, 808, 830, 72),
)

YEARS_OF_AGE = {
    "18-64": np.arange(18, 65),
    "65-74": np.arange(65, 75),
    "75-84": np.arange(75, 85),
    "85+": np.arange(85, 101),
}
YEAR_WEIGHTS = {
    "18-64": (YEARS_OF_AGE["18-64"] - 17) ** 2,
    "65-74": 100 - 3 * (YEARS_OF_AGE["65-74"] - 65),
    "75-84": 100 - 7 * (YEARS_OF_AGE["75-84"] - 75),
    "85+": (101 - YEARS_OF_AGE["85+"]) ** 2,
}

RACE = Choice(
    values=("White", "Black", "Hispanic", "Asian", "North American Native", "Other"),
    score_slope=(0.10, -0.20, -0.15, -0.15, 0.05, -0.05),
    event_shift=(0.02, -0.05, -0.05, -0.08, 0.10, -0.05),
)
RACE_SHARES = {  # per thousand members, in the order of RACE.values
    "18-64": (660, 185, 95, 15, 15, 30),
    "65-74": (760, 100, 75, 35, 6, 24),
    "75-84": (790, 85, 70, 37, 5, 13),
    "85+": (830, 70, 55, 33, 4, 8),
}

DUAL_STATUS = Choice(values=("none", "partial", "full"), score_slope=(0.0, 0.10, 0.25), event_shift=(0.0, 0.15, 0.25))
DUAL_SHARES = {  # per thousand members of a race (under 65, from 65), in the order of DUAL_STATUS.values
    "White": ((600, 140, 260), (900, 40, 60)),
    "Black": ((440, 160, 400), (720, 100, 180)),
    "Hispanic": ((420, 150, 430), (670, 90, 240)),
    "Asian": ((450, 90, 460), (700, 40, 260)),
    "North American Native": ((430, 140, 430), (720, 80, 200)),
    "Other": ((550, 120, 330), (800, 50, 150)),
}

DISABILITY = Choice(values=("false", "true"), score_slope=(0.0, 0.35), event_shift=(0.0, 0.40))
DISABILITY_SHARES = {  # per thousand members of a dual status, in the order of DUAL_STATUS.values
    "18-64": (1000, 1000, 1000),
    "65-74": (90, 340, 380),
    "75-84": (60, 240, 260),
    "85+": (30, 120, 140),
}

SCHEMA = pa.schema(
    [
        pa.field("score", pa.float64(), nullable=False),
        pa.field("event", pa.int32(), nullable=False),
        pa.field("sex", pa.string(), nullable=False),
        pa.field("race", pa.string(), nullable=False),
        pa.field("age", pa.int32(), nullable=False),
        pa.field("dual_status", pa.string(), nullable=False),
        pa.field("disability", pa.bool_(), nullable=False),
    ]
)


def population() -> pa.Table:
    """Build the 1,000,000 members, one row each, in a mixed order that is always the same.

    Returns:
        A table with `score` (DOUBLE, the probability of a severe fall within 30 days), `event` (INT, 1 where
        it happened), `sex`, `race`, `age` (INT, years, 18 to 100), `dual_status` (Medicaid in addition to Medicare:
        none, partial, full), `disability` (BOOLEAN, first entitled to Medicare by one). No value is NULL.
    """
    starts = np.concatenate(([0], np.cumsum([cell.members for cell in CELLS])))
    blocks = [_members(cell, int(start)) for cell, start in zip(CELLS, starts[:-1], strict=True)]
    order = np.argsort(_hash(0, 0, int(starts[-1])), kind="stable")
    column = {name: np.concatenate([block[name] for block in blocks])[order] for name in SCHEMA.names}
    arrays = [
        pa.array(column["score"] / 1_000_000),  # one correctly rounded division: 71000 becomes the double 0.071
        pa.array(column["event"], pa.int32()),
        _texts(column["sex"], ("female", "male")),
        _texts(column["race"], RACE.values),
        pa.array(column["age"], pa.int32()),
        _texts(column["dual_status"], DUAL_STATUS.values),
        pa.array(column["disability"].astype(np.bool_)),
    ]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def config_text() -> str:
    """The commented audit config of this population, equal to `conf/demo.yaml`."""
    return resources.files(__package__).joinpath(CONFIG_NAME).read_text(encoding="utf-8")


def write(folder: Path) -> tuple[Path, Path]:
    """Write the population and its config into a folder, which is created if it does not exist.

    A file that already holds the same bytes is left untouched: its modification time is part of the input's
    version, and a second audit of the same population is then recognised as already done.

    Returns:
        The paths of the Parquet file (zstd, row groups of 250,000) and of the config beside it.

    Raises:
        OSError: the folder or a file in it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    pq.write_table(population(), buffer, row_group_size=250_000, compression="zstd", use_dictionary=SCHEMA.names[1:6])
    parquet_path, config_path = folder / PARQUET_NAME, folder / CONFIG_NAME
    _replace(parquet_path, buffer.getvalue())
    _replace(config_path, config_text().encode("utf-8"))
    return parquet_path, config_path


def _replace(path: Path, content: bytes) -> None:
    """Put content at path in one step, so that an interrupted write leaves the earlier file whole."""
    if path.is_file() and path.read_bytes() == content:
        return
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(content)
    partial.replace(path)


def _members(cell: Cell, start: int) -> dict[str, Integers]:
    """The columns of one cell by rising score, as integers: millionths, codes of values, years."""
    scores = _scores(cell)
    events = _events(cell, scores)
    risk = np.minimum(scores / CUTOFF_MILLIONTHS, 2.0)
    band, under_65 = cell.age_band, cell.age_band == "18-64"
    races = np.tile(np.array(RACE_SHARES[band]), (cell.members, 1))
    race = _choose(RACE, races, risk, events, _uniform(1, start, cell.members))
    duals = np.array([DUAL_SHARES[value][0 if under_65 else 1] for value in RACE.values])[race]
    dual_status = _choose(DUAL_STATUS, duals, risk, events, _uniform(2, start, cell.members))
    disabled = np.array(DISABILITY_SHARES[band])[dual_status]
    disabilities = np.column_stack((1000 - disabled, disabled))
    return {
        "score": scores,
        "event": events,
        "sex": np.full(cell.members, int(cell.sex == "male"), dtype=np.int64),
        "race": race,
        "age": _ages(band, _uniform(3, start, cell.members)),
        "dual_status": dual_status,
        "disability": _choose(DISABILITY, disabilities, risk, events, _uniform(4, start, cell.members)),
    }


def _scores(cell: Cell) -> Integers:
    """Rising scores in millionths: Beta quantiles with the cell's flagged count, adding up to its events."""
    n, mean = cell.members, cell.events / cell.members
    size = _beta_size(mean, cell.flagged / n)
    quantiles = special.betaincinv(size * mean, size * (1 - mean), (np.arange(n) + 0.5) / n)
    scores: Integers = np.maximum(np.rint(quantiles * 1_000_000), 1).astype(np.int64)
    missing = cell.events * 1_000_000 - int(scores.sum())
    # Midpoint quantiles lose a little of the long tail: give it back where no count at the cutoff can change.
    middle = np.flatnonzero((scores > 1_000) & (scores < CUTOFF_MILLIONTHS - 1_000))
    scores[middle] += np.diff(np.arange(len(middle) + 1) * missing // len(middle))
    return np.sort(scores)


def _beta_size(mean: float, flagged_share: float) -> float:
    """The size a + b of the narrower Beta distribution with this mean and this share above the cutoff."""
    cutoff = CUTOFF_MILLIONTHS / 1_000_000

    def share_above(size: float) -> float:
        return 1.0 - float(special.betainc(size * mean, size * (1 - mean), cutoff))

    narrow = 1.0e6
    while share_above(narrow / 2) < flagged_share:
        narrow /= 2
    wide = narrow / 2
    for _ in range(60):
        middle = (wide + narrow) / 2
        wide, narrow = (wide, middle) if share_above(middle) < flagged_share else (middle, narrow)
    return round(narrow, 6)  # coarser than the last digits in which library versions may differ


def _events(cell: Cell, scores: Integers) -> Integers:
    """1 for members with the event: as many as declared below and above the cutoff, by score."""
    first_flagged = cell.members - cell.flagged
    below, above = scores[:first_flagged], scores[first_flagged:]
    return np.concatenate((_spread(below, cell.events - cell.true_positives), _spread(above, cell.true_positives)))


def _spread(weights: Integers, count: int) -> Integers:
    """Exactly `count` ones, as evenly along the rows as the weights allow (systematic sampling)."""
    total = int(weights.sum())
    steps = (np.concatenate(([0], np.cumsum(weights))) * count + total // 2) // total
    return np.diff(steps).astype(np.int64)


def _choose(choice: Choice, shares: Integers, risk: Floats, events: Integers, uniform: Floats) -> Integers:
    """A code into `choice.values` per row, from shares [rows, values] moved by risk and event."""
    tilt = np.outer(risk, choice.score_slope) + np.outer(events, choice.event_shift)
    upper = np.cumsum(shares * np.exp(tilt), axis=1)
    chosen: Integers = np.sum(upper[:, :-1] <= (uniform * upper[:, -1])[:, None], axis=1, dtype=np.int64)
    return chosen


def _ages(age_band: str, uniform: Floats) -> Integers:
    """Single years of age within a band."""
    upper = np.cumsum(YEAR_WEIGHTS[age_band])
    years: Integers = YEARS_OF_AGE[age_band][np.searchsorted(upper, uniform * upper[-1], side="right")]
    return years


def _texts(codes: Integers, values: tuple[str, ...]) -> pa.Array:
    """Plain text from codes into values."""
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(values)).cast(pa.string())


def _uniform(stream: int, start: int, rows: int) -> Floats:
    """Numbers in [0, 1) with 53 random-looking bits for the rows from `start`."""
    return (_hash(stream, start, rows) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _hash(stream: int, start: int, rows: int) -> NDArray[np.uint64]:
    """SplitMix64 (Steele, Lea and Flood 2014) at the rows' positions; each stream is its own sequence."""
    position = np.arange(start + 1, start + rows + 1, dtype=np.uint64) + np.uint64(stream << 32)
    z = position * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
