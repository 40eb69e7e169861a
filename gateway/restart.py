"""Checkpoints, and going on after a restart (semantics 8.6).

The journal holds what was decided, a checkpoint of detection at most 60 s old and `judged_through`. After a start,
every frame after the checkpoint is judged again before anything new. What the journal already knows is recognized
by its cause and does nothing; what a crash left undecided is decided now.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from adapters.codecs import alarm_json, checkpoint
from adapters.codecs.checkpoint import Saved
from adapters.journal import Entry, Journal, Recovered
from adapters.spool import Spool
from alerts.alarm import Condition, EventKind
from alerts.ports import Clock
from alerts.reading import SECOND
from gateway.core import Core
from gateway.dispatch import Dispatch
from gateway.pipeline import Pipeline
from gateway.scribe import PUBLISH, Scribe
from gateway.selfwatch import SelfWatch
from gateway.stages import Live
from gateway.turn import Turn

log = logging.getLogger("hazgate")

EVERY = 30 * SECOND
"""Between two checkpoints; with the frame that is open at that moment, none is ever 60 s old."""


class Checkpoints:
    """Writes checkpoints at frame borders and lets the spool forget what they cover."""

    def __init__(self, core: Core, journal: Journal, spool: Spool) -> None:
        self._names = [(point.site.site, point.sensor.id) for point in core.register]
        self._engine = core.engine
        self._admission = core.admission
        self._numbers = core.numbers
        self._journal = journal
        self._spool = spool
        self._last = 0
        self._sealed = 0
        self._taken: tuple[int, int, bytes] | None = None

    def sealed(self, frame: int, now: int) -> None:
        """Everything up to `frame` has been judged and nothing after it: the moment to take a checkpoint, if one is due."""
        self._sealed = frame
        if now - self._last >= EVERY:
            self._last = now
            engine, last = self._engine, self._numbers.last
            saved = Saved(self._names, engine.checkpoint(), self._admission.memory(), engine.past.memory(), last)
            self._taken = (frame, now, checkpoint.encode(saved))

    def committed(self) -> int:
        """The frame sealed last is on the disk, and its number is returned; now the checkpoint taken with it may be written.

        Written earlier, it could outlive a frame that a crash lost: the broker's repeats of that frame would be
        recognized, acknowledged and never stored, and the next frame of its number never judged again.
        """
        if self._taken is not None:
            frame, taken, self._taken = self._taken[0], self._taken, None
            done = self._journal.commit(Entry(checkpoint=taken, meta={"judged_through": str(frame)}))
            done.add_done_callback(lambda _done: self._spool.release(frame))
        return self._sealed

    def soon(self) -> None:
        """Write one at the next frame border: a person changed what detection holds, and no frame says so."""
        self._last = 0


@dataclass(frozen=True, slots=True)
class Resumption:
    """Goes on where the last run ended. Used once, after the sinks have started and before the broker."""

    recovered: Recovered
    core: Core
    spool: Spool
    journal: Journal
    live: Live
    pipeline: Pipeline
    dispatch: Dispatch
    scribe: Scribe
    watch: SelfWatch
    clock: Clock

    def run(self, *, rejudge: bool) -> None:
        """Judge again, tell again what may not have been told, say how long nobody watched. Without `rejudge` (a fault point) frames are only remembered."""
        engine, recovered = self.core.engine, self.recovered
        # what fell due while nobody watched comes before anything the spool still has to say
        self.pipeline.judge(Turn(self.clock.now()))
        covered, sequence = self._restore()
        self._recall(sequence)
        self.live.again = True
        count = self._judge_again(covered, rejudge=rejudge)
        self.live.again = False
        engine.subscribed(self.clock.now())
        engine.adopt(self.core.standing())
        self.core.admission.adopt(self.core.standing())
        self.watch.adopt(self.core.own())
        if recovered.meta:
            log.info("resumed: %d readings judged again, %d alarms stand, %d messages open", count, len(recovered.alarms), len(recovered.outgoing))
            if "alive" in recovered.meta:  # a crash in the first moments of the first run leaves none
                self.watch.gap(int(recovered.meta["alive"]), self.clock.now())
        self._send_again()
        self.pipeline.turn()

    def _restore(self) -> tuple[int, int]:
        """Take up the checkpoint; returns the frame it covers, and the number of the journal's last row before it."""
        if self.recovered.checkpoint is None:
            return 0, 0
        covered, _, body = self.recovered.checkpoint
        saved = checkpoint.decode(body)
        places = {name: row for row, name in enumerate(saved.names)}
        rows = np.array([places.get((p.site.site, p.sensor.id), -1) for p in self.core.register], np.intp)
        self.core.engine.restore(saved.arrays, rows)
        self.core.engine.past.recall(saved.past)
        now_at = {old: new for new, old in enumerate(rows.tolist()) if old >= 0}
        self.core.admission.recall((now_at[index], kind, number, value) for index, kind, number, value in saved.memory if index in now_at)
        self.spool.release(covered)
        return covered, saved.sequence

    def _recall(self, sequence: int) -> None:
        """Know what was decided since the checkpoint, by the journal's numbers: the clock may have stepped since.

        The causes stay known after the frames have been judged again, for the journal may be ahead of the spool: the
        broker then repeats readings whose consequences were decided, and acted on, in the last run.
        """
        own = f"{self.core.gateway}."
        for each in self.journal.decisions_after(sequence):
            if each.key is not None and not each.alarm.startswith(own):
                self.live.known.add(each.key)
            device, _, condition = each.alarm.rpartition(".")
            if each.event == EventKind.ACKNOWLEDGE and condition == Condition.PAST_EXCURSION:
                self.core.engine.past.answered(each.site, device, each.at)

    def _judge_again(self, covered: int, *, rejudge: bool) -> int:
        count = 0
        for frame in self.spool.frames_after(covered):
            self.core.admission.remember(frame.readings)
            if rejudge:
                # the clock stands where it stood then: a delay that the next frame breaks off has not run out
                self.pipeline.judge(Turn(self.clock.now(), readings=frame.readings, until=int(frame.readings.arrival.max())))
                count += len(frame.readings)
        return count

    def _send_again(self) -> None:
        for outgoing in self.recovered.outgoing:
            if outgoing.kind == PUBLISH:
                self.dispatch.publish(outgoing)
            else:
                self.dispatch.notify(outgoing, alarm_json.notice_from_record(outgoing.notice), may_repeat=True)
        for alarm in self.core.standing():
            self.dispatch.publish(self.scribe.retained(alarm))
