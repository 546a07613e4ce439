"""Progress bars: one for a piece of work, wherever it is watched.

A terminal gets a bar. A notebook gets one output that changes in place and ends as one line: bars
on stderr would be saved with it as a wall of red. A pipe or a log file gets a line a minute.
"""

from __future__ import annotations

import sys
import time
import warnings
from typing import Any

from tqdm.std import tqdm

#: Seconds until a pipe gets its first line and between the lines, and between a notebook's changes.
FIRST_AFTER, LINE_EVERY, CHANGE_EVERY = 1.0, 60.0, 0.5

#: Characters of a bar where no terminal says how many there are.
WIDTH = 78


def progress_bar(**options: Any) -> tqdm[Any]:
    """A bar that fits where it is shown; takes what ``tqdm.tqdm`` takes, by name."""
    file = options.get("file") or sys.stderr
    if options.get("disable") or file is None:  # a program without a console has no stderr
        return tqdm(**{**options, "disable": True})
    if in_notebook():
        return NotebookBar(**options)
    return tqdm(**options) if file.isatty() else LineBar(**options)


def in_notebook() -> bool:
    """Whether outputs of this process go to a notebook."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def quiet_tqdm() -> None:
    """Load tqdm's bar for notebooks, so that a library that loads it later complains of nothing."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="IProgress not found")
        import tqdm.auto  # noqa: F401


class _OwnDisplay(tqdm):  # type: ignore[type-arg]
    """A bar that shows itself, and whose state tqdm keeps."""

    def __init__(self, **options: Any) -> None:
        # To tqdm a bar of a window (gui) prints nothing, and may be told so in one word only.
        super().__init__(**{**options, "gui": True, "ncols": WIDTH, "miniters": 1})

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        if not self.disable:
            self.show(str(self))

    def show(self, line: str) -> None:
        """Show the bar as it is now."""
        raise NotImplementedError


class LineBar(_OwnDisplay):
    """A bar in a pipe or a file: a line when there is a speed to tell, and then one a minute.

    With ``leave`` the last line stands at the end, as the bar of a terminal does.
    """

    def __init__(self, **options: Any) -> None:
        self._due = time.monotonic() + FIRST_AFTER
        super().__init__(**options)

    def show(self, line: str) -> None:
        now = time.monotonic()
        if self.n and now >= self._due:
            self._due = now + LINE_EVERY
            self._write(line)

    def close(self) -> None:
        if not self.disable and self.leave and self.n:
            self._write(str(self))
        super().close()

    def _write(self, line: str) -> None:
        self.fp.write(f"{line.rstrip()}\n")
        self.fp.flush()


class NotebookBar(_OwnDisplay):
    """A bar in a notebook: one output, which says at the end how long the work took."""

    def __init__(self, **options: Any) -> None:
        from IPython.display import display

        super().__init__(**options, mininterval=CHANGE_EVERY)
        self._shown = time.monotonic()
        # Here and not in some worker's thread, whose outputs belong to no cell.
        shown: Any = display
        self._output = shown(_plain(str(self)), raw=True, display_id=True)

    def show(self, line: str) -> None:
        now = time.monotonic()
        if now - self._shown >= CHANGE_EVERY:
            self._shown = now
            self._output.update(_plain(line), raw=True)

    def close(self) -> None:
        if self.disable:
            return
        state = self.format_dict
        super().close()
        name = str(self.desc).removesuffix(": ")
        postfix = [str(self.postfix)] if self.leave and self.postfix else []
        line = ", ".join([name, self.format_interval(state["elapsed"]), *postfix])
        self._output.update(_plain(line), raw=True)


def _plain(line: str) -> dict[str, str]:
    return {"text/plain": line}
