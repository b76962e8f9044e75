"""What a stage was made from. Equal keys mean equal features, so there is nothing to do."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from vostool.store.layout import VERSION


@dataclass(frozen=True)
class CacheKey:
    """What a stage was made from.

    Attributes:
        made_from: what decides the features: the clip's fingerprint, the network, the hash of its
            weights, the options. JSON values only.
        made_by: what does not, but is good to know: device, precision, versions, time.
    """

    made_from: dict[str, Any]
    made_by: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def digest(self) -> str:
        """A short hash of ``made_from``: equal for equal features."""
        canonical = json.dumps({"layout": VERSION, **self.made_from}, sort_keys=True)
        return hashlib.blake2b(canonical.encode(), digest_size=10).hexdigest()

    def difference(self, other: CacheKey) -> str:
        """Why another key is not this one, in a user's words; empty where they are equal."""
        before, after = other.made_from, self.made_from
        changed = [
            f"{name.replace('_', ' ')} {_short(before.get(name))} is now {_short(after.get(name))}"
            for name in sorted({*before, *after})
            if before.get(name) != after.get(name)
        ]
        return ", ".join(changed)

    def as_dict(self) -> dict[str, Any]:
        """The key as it lies in a zarr group's attributes."""
        return {"layout": VERSION, "made_from": self.made_from, "made_by": self.made_by}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> CacheKey:
        """Read what :meth:`as_dict` wrote; a key of another layout equals none of today's."""
        made_from = dict(stored["made_from"])
        if stored.get("layout") != VERSION:
            made_from["layout"] = stored.get("layout")
        return cls(made_from, dict(stored.get("made_by", {})))


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 24 else f"{text[:12]}…"
