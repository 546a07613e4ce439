"""Several processes fill one bank, each on a device of its own.

The parent reads the input and hands out stretches of new texts, each process's next one when it
asks; it keeps the texts of a stretch until all of them are committed. So a process may die at any
moment: what it had in hand, less what it committed, goes to the others. Everybody has a pipe of
their own: a process that is killed while it holds the lock of a shared queue would stop them all.
"""

from __future__ import annotations

import logging
import multiprocessing
import pickle
import signal
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess

import numpy as np

from extract.engines.device import cores
from extract.options import RunOptions
from extract.plan import Plan
from extract.progress import Progress
from extract.scale.device_process import ADVANCE, ASK, BROKE, EXPECT, FAILED, FINISHED, NOTE, main
from extract.scale.devices import cpu_shares, processes
from extract.texts.stream import NewStretches, Stretch, bank_at
from extract.worker import Counts
from features.errors import EncoderError

if sys.platform == "win32":
    from multiprocessing.connection import PipeConnection as Connection
else:
    from multiprocessing.connection import Connection

log = logging.getLogger(__name__)

#: A process that should end gets so many seconds.
PATIENCE = 60.0


@dataclass(eq=False)
class Member:
    """One process."""

    device: str
    process: SpawnProcess
    line: Connection
    in_hand: dict[int, Stretch] = field(default_factory=dict)
    """Stretches that are not committed yet, by the number of their first text."""
    ready: bool = False
    idle: bool = False
    broke: str = ""
    """What it said before it ended by itself."""


class Crew:
    """The processes, from start to end.

    Parameters
    ----------
    plan, options
        As of one process; ``options.devices`` are theirs.
    stretches
        What there is to do.
    """

    def __init__(self, plan: Plan, options: RunOptions, stretches: NewStretches) -> None:
        self._each = processes(options, plan.setup["precision"])
        self._plan, self._stretches = plan, stretches
        self._bar = Progress(options.total, shown=options.progress)
        self._returned: deque[Stretch] = deque()
        self._said: set[str] = set()
        self._lost: list[str] = []
        self._n_before = plan.bank.n_texts if plan.bank is not None else 0
        self._counts = Counts(0, 0, 0)
        self._members: list[Member] = []

    def run(self, first: Stretch | None) -> Counts:
        """Do everything, beginning with a stretch that was read already."""
        if first is not None:
            self._returned.append(first)
        try:
            with self._bar:
                self._start()
                while True:
                    for member in [member for member in self._members if member.idle]:
                        self._hand_out(member)
                    if self._done():
                        break
                    if not self._members:
                        raise EncoderError(
                            f"no process is left ({'; '.join(self._lost)}): {self._safe()}, and "
                            "the same call goes on from there"
                        )
                    for line in wait([member.line for member in self._members]):
                        self._hear(next(m for m in self._members if m.line is line))
        except KeyboardInterrupt:
            self._stop()
            log.warning("stopped: %s, and the same call goes on from there", self._safe())
            raise
        except BaseException:
            self._stop()
            raise
        self._dismiss()
        return self._counts

    def _done(self) -> bool:
        return self._stretches.exhausted and not self._returned and not self._in_hand()

    def _count(self, *counts: int) -> None:
        self._counts = Counts(*map(sum, zip(self._counts, counts, strict=True)))

    def _in_hand(self) -> bool:
        return any(member.in_hand for member in self._members)

    def _safe(self) -> str:
        bank = bank_at(self._plan.path)
        n = bank.n_texts - self._n_before if bank is not None else 0
        return f"{n:,} new texts are safe in {self._plan.path}"

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        n_cpu = sum(options.device == "cpu" for options in self._each)
        here = cores()
        shares = iter(cpu_shares(here, n_cpu) if n_cpu > 1 and here else [[]] * n_cpu)
        level = logging.getLogger("extract").getEffectiveLevel()
        with _interrupts_held_back():
            for options in self._each:
                share = next(shares) if options.device == "cpu" else []
                ours, theirs = context.Pipe()
                process = context.Process(
                    target=main, args=(theirs, self._plan, options, share, level), daemon=True
                )
                with closing(theirs):  # the only other end is then the process's own
                    process.start()
                self._members.append(Member(options.device, process, ours))

    def _hear(self, member: Member) -> None:
        try:
            word, *rest = member.line.recv()
        except (EOFError, OSError):
            self._bury(member)
            return
        if word == ASK:
            member.ready = member.idle = True
            self._hand_out(member)
        elif word == EXPECT:
            self._bar.expect(*rest)
        elif word == ADVANCE:
            self._bar.advance(*rest)
        elif word == FINISHED:
            number, *counts = rest
            del member.in_hand[number]
            self._count(*counts)
        elif word == NOTE:
            self._note(*rest)
        elif word == BROKE:
            member.broke = rest[0]
        elif word == FAILED:
            raise rest[0]

    def _hand_out(self, member: Member) -> None:
        """Answer a process that asked; one with nothing in hand waits until there is something."""
        if self._returned:
            stretch: Stretch | None = self._returned.popleft()
        else:
            stretch = self._stretches.next(all_committed=not self._in_hand())
        if stretch is None and not member.in_hand:
            return
        member.idle = False
        if stretch is not None:
            member.in_hand[int(stretch.numbers[0])] = stretch
        with suppress(OSError):  # it died: what it said before is heard first, then its end
            member.line.send(stretch)

    def _note(self, name: str, level: int, message: str) -> None:
        if message not in self._said:
            self._said.add(message)
            logging.getLogger(name).log(level, message)

    def _bury(self, member: Member) -> None:
        """A process died: its texts, less those that the bank has, are to be done again."""
        self._members.remove(member)
        member.line.close()
        member.process.join(PATIENCE)
        how = f"failed: {member.broke}" if member.broke else _ending(member.process.exitcode)
        self._lost.append(f"{member.device} {how}")
        log.warning(
            "the process on %s (%s) %s: %s",
            member.device,
            member.process.pid,
            how,
            "the others do its texts" if self._members else "nobody is left to do its texts",
        )
        bank = bank_at(self._plan.path)
        for stretch in member.in_hand.values():
            there = np.zeros(len(stretch.texts), bool)
            if bank is not None:
                there = bank.contains_keys(stretch.keys)
                done = [stretch.texts[i] for i in np.flatnonzero(there)]
                n_tokens, n_cut = bank.n_tokens(done).sum(), bank.truncated(done).sum()
                self._count(int(n_tokens), int(n_cut), 0)  # a bank does not know the third
            left = np.flatnonzero(~there)
            if len(left):
                self._returned.append(stretch.rows(left))

    def _stop(self) -> None:
        """Have everybody commit what they have, and end."""
        for member in self._members:
            member.process.terminate()
        for member in self._members:
            with suppress(EOFError, OSError, pickle.UnpicklingError):
                while True:
                    member.line.recv()
            member.process.join(PATIENCE)

    def _dismiss(self) -> None:
        """All is done: hang up, and wait until everybody has ended."""
        for member in self._members:
            if not member.ready:  # still loading its encoder, and not needed any more
                member.process.terminate()
            member.line.close()
        for member in self._members:
            member.process.join(PATIENCE)


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """What is started meanwhile does not hear Ctrl-C, which is the parent's."""
    if sys.platform == "win32":
        yield
    else:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ending(code: int | None) -> str:
    """How a process ended, for people."""
    if code is not None and code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended by itself with code {code}"
