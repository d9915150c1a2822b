"""What a refusal of input says."""

from __future__ import annotations

import pytest

from scheduler.errors import InvalidInput


def refused(field: str, words: str) -> pytest.RaisesExc[InvalidInput]:
    """A ``pytest.raises`` for an InvalidInput of this field with these words."""
    return pytest.raises(InvalidInput, match=f"^{field}: .*(?:{words})")
