"""What each row of members adds to the measures, put together from rows that are alone and rows of clusters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fairsweep.core.inference.cluster_ranks import Standing, several

Ints = NDArray[np.int64]


def terms(member: Ints, cell: Ints, bucket: Ints, event: NDArray[np.bool_]) -> dict[str, Ints]:
    """The measures of each row, by name, `[rows]`."""
    found = {name: own.copy() for name, own in Standing.alone(event).measures().items()}
    places, cluster = several([member, cell], bucket)
    for name, own in Standing.of(cluster, event[places]).measures().items():
        found[name][places] = own
    return found
