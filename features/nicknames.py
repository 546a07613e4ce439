"""What people call selections in words, and how these are written."""

from __future__ import annotations

import re

#: Words without their spaces and signs, and what they mean.
_WRITTEN = {
    "all": "'*[:]'", "everything": "'*[:]'", "alllayers": "'*[:]'",
    "last": "'mean[-1]' or 'cls[-1]'", "lastlayer": "'mean[-1]' or 'cls[-1]'",
    "lasthiddenstate": "'mean[-1]' or 'cls[-1]'",
    "meanmax": "'mean[-1]+max[-1]'", "maxmean": "'max[-1]+mean[-1]'",
    "mean": "'mean[-1]' (the last layer) or 'mean[:]' (all)",
    "max": "'max[-1]' (the last layer) or 'max[:]' (all)",
    "cls": "'cls[-1]' (the last layer) or 'cls[:]' (all)",
    "average": "'avg(mean[-4:])'", "avg": "'avg(mean[-4:])'",
    "pooled": "'pooler'", "pooleroutput": "'pooler'", "embeddings": "'mean[0]'",
}  # fmt: skip

_LAST = re.compile(r"(?:cls|mean|max|concat|concatenate)?(?:the)?last(\d{1,3})(?:layers?)?")


def written(words: str) -> str | None:
    """How a selection in words is written; None for what is no such words.

    >>> written("last4")
    "'cls[-4:]' or 'mean[-4:]'"
    >>> written("mean-max")
    "'mean[-1]+max[-1]'"
    """
    bare = re.sub(r"[\s_-]", "", words).lower()
    if match := _LAST.fullmatch(bare):
        return f"'cls[-{match[1]}:]' or 'mean[-{match[1]}:]'"
    return _WRITTEN.get(bare)
