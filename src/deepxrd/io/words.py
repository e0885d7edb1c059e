"""Numbers with what they count, and errors in a line, in plain English."""

from __future__ import annotations


def counted(n: int, one: str, many: str = "") -> str:
    """A number and its noun.

    Args:
        n: how many.
        one: the noun for one.
        many: for any other number; without, ``one`` and an s.

    Example:
        >>> counted(1, "structure"), counted(2048, "structure"), counted(0, "entry", "entries")
        ('1 structure', '2,048 structures', '0 entries')
    """
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def in_a_line(error: BaseException) -> str:
    """The class of an error and the first line of what it says."""
    return ": ".join([type(error).__name__, *str(error).strip().splitlines()[:1]])
