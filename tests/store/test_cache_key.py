"""Protects the promise that equal keys mean equal features, and that a difference is explained.

A key that differs without need costs an hour; one that is equal without right costs the result.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vostool.store import CacheKey
from vostool.store.layout import VERSION

values = st.none() | st.booleans() | st.integers() | st.text(max_size=40)
origins = st.dictionaries(st.text(min_size=1, max_size=12), values, max_size=5)


def test_equal_origins_make_equal_keys_in_any_order() -> None:
    one, other = CacheKey({"clip": "a", "height": 480}), CacheKey({"height": 480, "clip": "a"})
    assert one == other
    assert one.digest == other.digest
    assert one.difference(other) == ""


def test_what_does_not_decide_the_features_does_not_tell_keys_apart() -> None:
    one = CacheKey({"clip": "a"}, {"device": "cpu", "time": "then"})
    other = CacheKey({"clip": "a"}, {"device": "cuda", "time": "now"})
    assert one == other
    assert one.digest == other.digest


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ({"network_height": 480}, {"network_height": 240}, "network height 480 is now 240"),
        ({"backbone": "lite0"}, {"backbone": "resnet"}, "backbone lite0 is now resnet"),
        ({}, {"backbone": "lite0"}, "backbone null is now lite0"),
        ({"backbone": "lite0"}, {}, "backbone lite0 is now null"),
        ({"clip": "a" * 40}, {"clip": "b" * 40}, "clip aaaaaaaaaaaa… is now bbbbbbbbbbbb…"),
        ({"a": 1, "b": 2}, {"a": 2, "b": 1}, "a 1 is now 2, b 2 is now 1"),
    ],
)
def test_a_difference_is_told_in_words(
    before: dict[str, object], after: dict[str, object], why: str
) -> None:
    assert CacheKey(after).difference(CacheKey(before)) == why
    assert CacheKey(after) != CacheKey(before)
    assert CacheKey(after).digest != CacheKey(before).digest


def test_a_key_of_another_layout_equals_none_of_today() -> None:
    stored = CacheKey({"clip": "a"}).as_dict()
    old = CacheKey.from_dict({**stored, "layout": VERSION - 1})
    assert old != CacheKey({"clip": "a"})
    assert "layout" in CacheKey({"clip": "a"}).difference(old)


@given(origins)
def test_a_key_comes_back_from_json_as_it_was(made_from: dict[str, object]) -> None:
    key = CacheKey(made_from, {"device": "cpu"})
    back = CacheKey.from_dict(json.loads(json.dumps(key.as_dict())))
    assert back == key
    assert back.digest == key.digest
    assert back.made_by == key.made_by


@given(origins, origins)
def test_digests_are_equal_exactly_where_keys_are(
    one: dict[str, object], other: dict[str, object]
) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (CacheKey(one).digest == CacheKey(other).digest) == same
