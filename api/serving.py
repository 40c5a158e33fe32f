"""What is served at the moment, and how a new snapshot takes over.

Every request belongs to the snapshot that was served when it came. A new one is loaded beside
the old, then takes all further requests; the old one goes when its last answer has been given.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from contextlib import suppress

from api.kept import Answers
from api.pool import Holder, Pool
from kg.errors import LenkgError
from kg.question import Graph
from kg.results import Limits, formats_for
from kg.sparql import FORMS
from kg.store import Snapshot

LOOK = 1.0  # seconds between looks for a new snapshot
CORES = os.cpu_count() or 2


class Served:
    """One snapshot with its processes, its questions, and its answers that are kept ready.

    Questions and resources have places of their own beside those of the SPARQL endpoint.
    """

    def __init__(self, snapshot: Snapshot, limits: Limits) -> None:
        self.snapshot = snapshot
        self.holder = Holder(snapshot)
        self.sparql = Pool(self.holder, CORES + 2, 2 * CORES)
        self.questions = Pool(self.holder, CORES + 2, 2 * CORES)
        self.answers = Answers()
        self.users = 0  # answers on their way
        self.graph = Graph(_FromThreads(self, limits))

    async def start(self) -> None:
        """Loads the snapshot; SnapshotError where that cannot be done."""
        await self.holder.start()
        self.loop = asyncio.get_running_loop()

    async def retire(self) -> None:
        """Ends its processes once nobody waits for an answer any more."""
        while self.users:
            await asyncio.sleep(0.1)
        self.holder.close()


class _FromThreads:
    """Asks the pool for those routes that run in threads."""

    def __init__(self, served: Served, limits: Limits) -> None:
        self.served = served
        self.limits = limits

    @property
    def snapshot(self) -> Snapshot:
        return self.served.snapshot

    def query(self, text: str, media_type: str | None = None) -> tuple[str, bytes]:
        types = {form: media_type or next(iter(formats_for(form))) for form in FORMS}
        answer = self.served.questions.whole(text, types, self.limits)
        return asyncio.run_coroutine_threadsafe(answer, self.served.loop).result()


class Serving:
    """Serves what `latest` gives, and looks for something newer every second."""

    def __init__(self, latest: Callable[[], Snapshot], limits: Limits) -> None:
        self.latest = latest
        self.limits = limits
        self.current = Served(latest(), limits)
        self._tasks: set[asyncio.Task[None]] = set()

    def now(self) -> Served:
        """What is served at the moment."""
        return self.current

    async def start(self) -> None:
        """Loads the first snapshot and begins to look for newer ones."""
        await self.current.start()
        self._later(asyncio.create_task(self._look()))

    async def stop(self) -> None:
        """Ends all processes."""
        for task in list(self._tasks):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        self.current.holder.close()

    async def _look(self) -> None:
        told = ""
        while True:
            await asyncio.sleep(LOOK)
            try:
                snapshot = await asyncio.to_thread(self.latest)
                if snapshot.version != self.current.snapshot.version:
                    served = Served(snapshot, self.limits)
                    await served.start()
                    old, self.current = self.current, served
                    self._later(asyncio.create_task(old.retire()))
                told = ""
            except LenkgError as error:  # the old one goes on being served
                if str(error) != told:
                    logging.getLogger("lenkg").error("%s", error)
                told = str(error)

    def _later(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
