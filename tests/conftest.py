"""What all tests share: how Hypothesis runs."""

from hypothesis import HealthCheck, settings

# A machine that is busy is no failure: no test may depend on how long an example takes.
settings.register_profile(
    "msglog", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("msglog")
