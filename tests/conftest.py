"""Settings that hold for every test."""

import os

from hypothesis import settings

# the same examples on every run: a failure is the change's fault, not the day's
settings.register_profile("repeatable", derandomize=True, deadline=None, print_blob=True)
# HYPOTHESIS_PROFILE=explore looks for new examples
settings.register_profile("explore", deadline=None, print_blob=True, max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))
