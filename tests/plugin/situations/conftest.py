"""What the situations share: where the leaking ones keep what they leave open."""

from __future__ import annotations

from typing import Any

KEPT: list[Any] = []
