"""Some rows of a segment, as they go into another one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.disk.image import Rows
from features.disk.segment import Segment


def part_of(segment: Segment, rows: NDArray[np.int64]) -> Rows:
    """The content of these rows, in their order; CorruptSegment where it was damaged."""
    return Rows(
        keys=segment.keys[rows],
        n_tokens=segment.n_tokens[rows],
        truncated=segment.truncated[rows].astype(bool),
        blocks={block: segment.block(block)[rows] for block in segment.blocks},
    )
