"""What sends load in this process: connections, contexts of virtual users, the log of their failures."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from pytest_k6api.model import Recorder, SampleBuffer, ScenarioOptions, TagContext
from pytest_k6api.protocols.http import Client, HttpRuntime
from pytest_k6api.run.settings import RunSettings
from pytest_k6api.vu import (
    FailureLog,
    LoadContext,
    RowClaims,
    ScenarioContext,
    StuckTasks,
    UserFunction,
    VirtualUser,
)

End = Callable[[str], None]


class LoadGenerator:
    """The parts that all virtual users of this process share.

    Attributes:
        http: Connections.
        stuck: Abandons cancelled tasks that do not end.
        failures: The failures of virtual users, setup and teardown.
        load: Their context.

    Args:
        settings: The settings of the run.
        buffer: Takes their rows.
        tag_context: The tags of the whole load test.
        elapsed: Returns the seconds of test-run time.
        stop: Ends the load test at once, for a reason of user code.
        finish: Ends it gracefully, for a reason of user code.
        refuse: Ends it at once, because its code cannot be run.
        finish_share: Ends the share of this process gracefully; None where there is no other.
        rows: Tells which rows of feeders are handed out; None where there is no other.
        has_samples: Whether outputs or hooks take the samples themselves.
    """

    def __init__(
        self,
        settings: RunSettings,
        buffer: SampleBuffer,
        tag_context: TagContext,
        elapsed: Callable[[], float],
        *,
        stop: End,
        finish: End,
        refuse: End,
        finish_share: End | None = None,
        rows: RowClaims | None = None,
        has_samples: bool = False,
    ) -> None:
        self.http = HttpRuntime(settings.client)
        self.stuck = StuckTasks()
        self.failures = FailureLog(elapsed, settings.render, settings.client.secrets.mask_text)
        self.load = LoadContext(
            buffer=buffer,
            tag_context=tag_context,
            make_client=partial(Client, self.http),
            failures=self.failures,
            stop=stop,
            finish=finish,
            finish_share=finish_share,
            refuse=refuse,
            seed=settings.seed,
            exceptions=settings.exceptions,
            stuck=self.stuck,
            has_metadata=settings.metadata and has_samples,
            rows=rows or RowClaims(),
            position=settings.segment.position,
        )
        self._scenarios: dict[str, ScenarioContext] = {}

    def add_scenarios(
        self,
        scenarios: Sequence[ScenarioOptions],
        functions: Mapping[str, UserFunction],
        setup_data: Callable[[], str | None],
    ) -> None:
        """Make the contexts of `scenarios`, each with its function among `functions`."""
        for options in scenarios:
            self._scenarios[options.name] = ScenarioContext(
                load=self.load,
                options=options,
                function=functions[options.name],
                setup_data=setup_data,
            )

    def make_vu(self, options: ScenarioOptions, number: int) -> VirtualUser:
        """Return the virtual user `number`, of the scenario `options`."""
        return VirtualUser(number, self._scenarios[options.name])

    def recorder_for(self, scenario: str) -> Recorder:
        """Return the recorder of `scenario` for what belongs to none of its virtual users."""
        return Recorder(self.load.buffer, self._scenarios[scenario].tag_context)
