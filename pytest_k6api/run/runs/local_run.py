"""A load test's run in this process alone: its virtual users are here."""

from pytest_k6api.run.plan import LoadTestPlan
from pytest_k6api.run.runs.supervised_run import SupervisedRun
from pytest_k6api.run.settings import UserCode
from pytest_k6api.scheduling import Scheduler


class LocalRun(SupervisedRun):
    """One load test in this process, from its wiring to its end."""

    def _schedule(self, plan: LoadTestPlan, code: UserCode) -> Scheduler:
        generator = self._generator
        generator.add_scenarios(plan.scenarios, code.scenarios, lambda: self.setup_teardown.data)
        return Scheduler(
            plan.scenarios,
            generator.make_vu,
            generator.recorder_for,
            setup=self._set_up,
            teardown=self._tear_down,
            paused=self._settings.paused,
            segment=self._settings.segment,
            stuck=generator.stuck,
            on_status=self._publish,
        )
