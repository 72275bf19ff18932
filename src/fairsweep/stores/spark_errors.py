"""Errors of Spark while it reads and writes result tables, as our own errors: codes, and never values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fairsweep.errors import SPARK_ENDED, FairsweepError, Problem, StorageError, has_spark_ended
from fairsweep.stores import spark_queries
from fairsweep.stores.problems import unusable
from fairsweep.stores.protocol import WriteConflictError

CONFLICT = re.compile(
    r"DELTA_CONCURRENT_|DELTA_METADATA_CHANGED|DELTA_PROTOCOL_CHANGED|"
    r"(Concurrent(Append|DeleteRead|DeleteDelete|Transaction|Write|Modification)|MetadataChanged|ProtocolChanged)"
    r"Exception"
)


@contextmanager
def own_errors(place: str) -> Iterator[None]:
    """Turn what Spark raises into our own errors: a conflict to retry, or a code without values."""
    try:
        yield
    except FairsweepError:
        raise
    except Exception as error:
        if CONFLICT.search(str(error)):
            raise WriteConflictError(place) from error
        raise StorageError(problem(place, error)) from error


def problem(place: str, error: Exception) -> Problem:
    """A table or location that Spark cannot read or write, with Spark's name of the reason."""
    if has_spark_ended(error):
        return SPARK_ENDED
    return unusable(place, condition_of(error), error, "run again; if the error stays, check the storage")


def condition_of(error: Exception) -> str:
    """Spark's name for an error; for older kinds of errors, the text does not contain it."""
    condition: Callable[[], str | None] = getattr(error, "getCondition", lambda: None)
    found = spark_queries.CODE.search(str(error))
    return condition() or (found.group(1) if found else type(error).__name__)
