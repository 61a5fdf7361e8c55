"""Shared by all tests: Hypothesis profiles, and the engines."""

import os

import pytest
from hypothesis import HealthCheck, settings

# Quick by default; `pytest --hypothesis-profile=deep` looks much longer.
_common = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}
settings.register_profile("quick", max_examples=150, derandomize=True, **_common)
settings.register_profile("few", max_examples=25, derandomize=True, **_common)
settings.register_profile("deep", max_examples=10_000, **_common)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

from tinynet_fast.kernels.engines import ENGINES  # noqa: E402


@pytest.fixture(params=ENGINES)
def engine(request):
    return request.param
