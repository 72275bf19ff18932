"""The version of an input without a version of its own (frames, views, some tables), derived from its counts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairsweep.auditing.reported import summed
from fairsweep.tables.checksums import Checksum, combined

if TYPE_CHECKING:
    from fairsweep.engines.protocol import Counted


def state_version(counted: Counted, groupings: Sequence[tuple[str, ...]]) -> str:
    """The version of an input, derived from its counted rows: a hash of the whole state."""
    from fairsweep.auditing import block_rows as distributing

    digest = hashlib.sha256()
    for key, state in counted.models.items():
        digest.update(repr((key, state.rows_input, state.tallies)).encode())
        for attributes in groupings:
            # Summed to the reported groupings, the state does not depend on which grouping sets were kept, and where.
            histogram = summed(state.histograms, attributes)
            parts = histogram.collected(distributing.content_of_block, distributing.CHECKSUM_SCHEMA)
            content = combined(Checksum(**part) for part in parts.to_pylist())
            digest.update(repr((histogram.grid.id, attributes, *content)).encode())
    return f"state:{digest.hexdigest()[:32]}"
