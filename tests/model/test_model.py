"""Any order of all that may happen to logs, seen by a model that is nothing but sets of keys.

`make model` plays a million steps of the same rules.
"""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.model.world import RULES, World

NAMES = [name for name, weight in RULES.items() for _ in range(max(1, round(weight)))]


class Logs(RuleBasedStateMachine):
    """A world; each step looks at all that it has touched, and the end at everything."""

    def __init__(self) -> None:
        super().__init__()
        self.world: World | None = None
        self.failed = False

    @initialize(number=st.integers(0, 1 << 16), store=st.sampled_from(("memory", "both")))
    def begin(self, number: int, store: str) -> None:
        self.world = World(number, store=store, large=False)

    @rule(name=st.sampled_from(NAMES), number=st.integers(0, 1 << 32))
    def step(self, name: str, number: int) -> None:
        assert self.world is not None
        self.failed = True
        self.world.step(name, number)
        self.failed = False

    def teardown(self) -> None:
        if self.world is None:
            return
        try:
            if not self.failed:
                self.world.finish()
        finally:
            self.world.close()


TestLogs = Logs.TestCase
TestLogs.settings = settings(
    max_examples=25,
    stateful_step_count=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
