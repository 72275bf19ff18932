"""The population that is counted: seeded, made once per size, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

# Part of the files' names: raise it when rows change, so that older files are not taken for new ones.
GENERATION = 1
BLOCK_ROWS = 100_000
ROW_GROUP_ROWS = 1_000_000
PROVIDERS = 100_000
# Of each provider, where there is nothing but providers.
ROWS_EACH = 20

# Levels and how frequent they are; as uneven as a claims table's.
ATTRIBUTES: Mapping[str, Mapping[str, float]] = {
    "sex": {"female": 0.56, "male": 0.44},
    "race": {"White": 0.735, "Black": 0.11, "Hispanic": 0.09, "Asian": 0.035, "Other": 0.02, "Native": 0.01},
    "age_band": {"18-64": 0.13, "65-74": 0.47, "75-84": 0.28, "85+": 0.12},
    "dual_status": {"none": 0.80, "partial": 0.08, "full": 0.12},
    "plan": {"fee for service": 0.52, "advantage HMO": 0.27, "advantage PPO": 0.17, "special needs": 0.04},
}
# Factors of the risk of an event, so that groups differ.
_FACTORS = {"sex": (1.05, 0.94), "age_band": (0.8, 0.9, 1.1, 1.3), "dual_status": (0.97, 1.05, 1.2)}
# Together with the five above and the provider, twenty attributes.
FURTHER: Mapping[str, int] = {f"attribute_{i:02d}": 2 + i % 9 for i in range(7, 21)}
_SHAPE = (1.2, 22.8)  # of the Beta of scores: mean 0.05


def ensure(folder: Path, rows: int, seed: int, *, wide: bool = False, say: Callable[[str], None] = print) -> Path:
    """The file of a number of rows, made if it does not exist.

    Args:
        folder: the folder of the files.
        rows: how many rows.
        seed: another seed gives other rows.
        wide: with a provider and fourteen further attributes.
        say: reports that a file is being made, which takes a while.
    """
    path = folder / f"scores-{rows}-seed{seed}{'-wide' if wide else ''}-v{GENERATION}.parquet"
    if path.is_file():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    say(f"making {path}")
    unfinished = path.with_suffix(".unfinished")
    strings = [*ATTRIBUTES, *(["provider", *FURTHER] if wide else [])]
    with pq.ParquetWriter(
        unfinished,
        _plain(rows_between(seed, 0, 1, wide=wide).schema),
        compression="snappy",
        use_dictionary=["label", *strings],
        store_schema=False,
    ) as writer:
        for start in range(0, rows, ROW_GROUP_ROWS):
            stop = min(start + ROW_GROUP_ROWS, rows)
            writer.write_table(rows_between(seed, start, stop, wide=wide), row_group_size=ROW_GROUP_ROWS)
    unfinished.rename(path)
    return path


def rows_between(seed: int, start: int, stop: int, *, wide: bool = False) -> pa.Table:
    """Rows `start` to `stop` of the endless population of a seed; the same however it is cut into pieces."""
    parts = []
    for block in range(start // BLOCK_ROWS, -(-stop // BLOCK_ROWS)):
        first = block * BLOCK_ROWS
        whole = pa.table(dict(_columns(seed, block, wide=wide)))
        parts.append(whole.slice(max(start - first, 0), min(stop - first, BLOCK_ROWS) - max(start - first, 0)))
    table = pa.concat_tables(parts)
    return table.cast(_plain(table.schema))


def _plain(schema: pa.Schema) -> pa.Schema:
    """Dictionary columns as plain text: the encoding of the file is not part of its schema."""
    return pa.schema([f.with_type(f.type.value_type) if pa.types.is_dictionary(f.type) else f for f in schema])


def _columns(seed: int, block: int, *, wide: bool) -> Iterator[tuple[str, pa.Array]]:
    """The columns of one block, each from its own stream, so that wide files hold the same first columns."""
    score = _stream(seed, block, 0).beta(*_SHAPE, BLOCK_ROWS)
    risk = score.copy()
    levels: dict[str, pa.Array] = {}
    for place, (name, shares) in enumerate(ATTRIBUTES.items(), start=2):
        bounds = np.cumsum(list(shares.values()))[:-1]
        codes = np.searchsorted(bounds, _stream(seed, block, place).random(BLOCK_ROWS), side="right")
        levels[name] = _dictionary(codes, list(shares))
        if name in _FACTORS:
            risk *= np.array(_FACTORS[name])[codes]
    event = _stream(seed, block, 1).random(BLOCK_ROWS) < risk
    yield "score", pa.array(score)
    yield "label", pa.array(event.astype(np.int32))
    yield from levels.items()
    if wide:
        skewed = (PROVIDERS * _stream(seed, block, 100).random(BLOCK_ROWS) ** 2).astype(np.int64)
        yield "provider", _dictionary(skewed, [f"P{i:06d}" for i in range(PROVIDERS)])
        for place, (name, count) in enumerate(FURTHER.items(), start=101):
            codes = (count * _stream(seed, block, place).random(BLOCK_ROWS) ** 1.5).astype(np.int64)
            yield name, _dictionary(codes, [f"level {i}" for i in range(count)])


def _stream(seed: int, block: int, column: int) -> np.random.Generator:
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence((seed, block, column))))


def _dictionary(codes: NDArray[np.integer[Any]], levels: list[str]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(levels))
