"""How a transport of ours holds a writer back, and how long one waits for what nothing tells.

What must never be put here: what is written, and to whom.
"""

from __future__ import annotations

HIGH_WATER = 64 * 1024

_PAUSES = (0.002, 0.004, 0.008, 0.016, 0.03)


def pause(tries: int) -> float:
    """Seconds before the next try of what has no room yet, given how many there have been."""
    return _PAUSES[min(tries, len(_PAUSES) - 1)]


class WriteLimits:
    """The part of `asyncio.WriteTransport` that says how much may wait."""

    _size: int
    _high: int = HIGH_WATER
    _low: int = HIGH_WATER // 4

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Above `high` bytes that wait the protocol's `pause_writing` is called, at `low` its `resume_writing`.

        One that is not given follows from the other: `low` is a quarter of `high`. Raises `ValueError` for a `low`
        above `high`, or below zero.
        """
        if high is None:
            high = HIGH_WATER if low is None else 4 * low
        if low is None:
            low = high // 4
        if not high >= low >= 0:
            raise ValueError(f"high ({high!r}) must be >= low ({low!r}) must be >= 0")
        self._high, self._low = high, low

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """`(low, high)`."""
        return self._low, self._high

    def get_write_buffer_size(self) -> int:
        """How many bytes wait."""
        return self._size
