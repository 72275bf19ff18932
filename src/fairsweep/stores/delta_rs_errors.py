"""What delta-rs raises, as errors of our own: its texts quote rows, so that only codes are reported."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fairsweep.errors import FairsweepError, Problem, StorageError, is_panic
from fairsweep.stores.problems import unusable
from fairsweep.stores.protocol import WriteConflictError

BY_SPARK = "use --engine spark"
_CHECKED = "failed validation check"
_ALWAYS = "run again; if it stays so, use another --warehouse"


@contextmanager
def own_errors(place: str) -> Iterator[None]:
    """Turn errors of delta-rs into our own errors; its texts quote rows, so that only codes are reported."""
    from deltalake.exceptions import CommitFailedError, DeltaProtocolError

    try:
        yield
    except FairsweepError:
        raise
    except CommitFailedError as error:
        raise WriteConflictError(place) from error
    except DeltaProtocolError as error:
        problem = Problem(place, "made with a feature of Delta that delta-rs lacks", "", BY_SPARK)
        raise StorageError(problem) from error
    except BaseException as error:
        if not isinstance(error, Exception) and not is_panic(error):
            raise
        code = "CHECK_VIOLATED" if _CHECKED in str(error) else type(error).__name__
        raise StorageError(unusable(place, code, error, _ALWAYS)) from error
