"""What is joined so that people are told: the stage that calls them, dispatch that reaches them, and what is known of failures."""

from __future__ import annotations

from adapters.journal import Entry, Journal, Recovered
from alerts.alarm import Condition, Tier
from alerts.ports import Notice
from alerts.suppress import CANARY
from gateway.canary import Canary
from gateway.core import Core
from gateway.dispatch import Dispatch
from gateway.failures import FAILURES, Failures
from gateway.pipeline import Pipeline
from gateway.refusals import Refusals
from gateway.stages import Chase
from gateway.turn import Settled


class Telling:
    """The chase of all sites, and the gateway's own alarms about it. `stage` takes its place in the pipeline."""

    def __init__(self, judged: Core, journal: Journal, recovered: Recovered, prefix: str) -> None:
        """`prefix` is what every topic of ours begins with."""
        self.failures = Failures(lambda texts: journal.commit(Entry(meta=texts)))
        self.failures.resume(recovered.meta.get(FAILURES), [*judged.register.sites.values()], prefix)
        failed = judged.own_alarm(Condition.NOTIFICATION_FAILED, self.failures.found)
        exhausted = judged.own_alarm(Condition.ESCALATION_EXHAUSTED, judged.spent)
        self.stage = Chase(judged.chasers, (failed, exhausted), self.failures.channels)

    def join(self, dispatch: Dispatch, pipeline: Pipeline, canary: Canary) -> None:
        """What becomes of messages is an input of the pipeline like any other, in one turn with what follows from it.

        Those about the canary are no matter of chains and alarms, and all others none of the canary's.
        """

        def settled(settled: Settled) -> None:
            pipeline.settled(settled)
            if settled.notice.site == CANARY:
                canary.settled(settled)
            else:
                self.failures.settled(settled)

        def undelivered(notice: Notice) -> None:
            if notice.site != CANARY:
                pipeline.undelivered(notice)

        dispatch.on_undelivered, dispatch.on_settled = undelivered, settled

    def heed(self, refusals: Refusals, pipeline: Pipeline) -> None:
        """What the broker does not take counts as not told."""

        def refused(topic: str, tier: Tier, words: str) -> None:
            self.failures.refused(topic, tier, words)
            self.stage.look = True
            pipeline.nudge()

        def taken(topic: str) -> None:
            self.failures.taken(topic)
            self.stage.look = True
            pipeline.nudge()

        refusals.resume(self.failures.topics())
        refusals.on_refused, refusals.on_taken = refused, taken
