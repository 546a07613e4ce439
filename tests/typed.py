"""A reader at a shell: types what the documentation says, where ``layerbank`` is installed.

Loading torch takes longer than most commands of a guide. So ``layerbank`` and ``python`` on the
reader's path hand their arguments to one process that has everything loaded; it forks for each
call, and the fork has the caller's folder, environment and streams. Blocks are run by bash as they
stand, loops, pipes, quotes and all.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import traceback
from importlib import import_module, resources
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parent.parent

#: Commands that are typed in vain here, and where they are run in earnest.
ELSEWHERE = {"make": "tests/test_fresh_machine.py", "pip": "tests/installed/test_wheel.py"}

#: What is loaded beforehand: most of a command's time.
HEAVY = (
    "altair", "extract.engines.torch_engine", "lightgbm", "openvino", "pandas",
    "regress.experiment", "regress.report.page", "regress.sweep.procedure", "scipy.stats", "torch",
    "transformers", "transformers.models.roberta.modeling_roberta", "vl_convert",
)  # fmt: skip

#: What stands on the reader's path under the name of a program.
CLIENT = """#!{python} -IS
import json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
call = json.dumps([{program!r}, sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(server, [len(call).to_bytes(8, "little")], [0, 1, 2])
server.sendall(call)
answer = server.recv(1)
sys.exit(answer[0] if answer else 70)
"""

#: The process behind them. Not ``-m``: a program's name would be another in its help.
SERVER = "import sys; from tests.typed import serve; serve(sys.argv[1])"


class Reader:
    """Someone at a shell in a folder; a context manager.

    Parameters
    ----------
    home
        A short folder for the programs on the path.
    environment
        What the environment holds beside ours.
    """

    def __init__(self, home: Path, environment: dict[str, str]) -> None:
        self.environment = {**os.environ, **environment, "PATH": f"{home}:{os.environ['PATH']}"}
        address = str(home / "socket")
        for program in ("layerbank", "python"):
            client = CLIENT.format(python=sys.executable, address=address, program=program)
            (home / program).write_text(client)
        for program in ELSEWHERE:
            (home / program).write_text("#!/bin/sh\n")
        for path in home.iterdir():
            path.chmod(0o755)
        self._server = subprocess.Popen(
            [*_without_privileges(), sys.executable, "-c", SERVER, address],
            cwd=ROOT,
            env=self.environment,
        )
        while not os.path.exists(address):
            assert self._server.poll() is None, "the process that has everything loaded is gone"
            time.sleep(0.05)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.terminate()
        self._server.wait(timeout=30)

    def types(
        self, script: str, folder: Path, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run lines in a folder, up to the first that fails."""
        return subprocess.run(
            [*_without_privileges(), "bash", "-euo", "pipefail", "-c", script],
            cwd=folder,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def runs(
        self, program: str, folder: Path, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a Python program in a folder."""
        return self.types(f"python -c {shlex.quote(program)}", folder, **environment)


def lay_out(folder: Path) -> None:
    """Put down the CSV files that a reader has; ``train.csv`` has 60 passages."""
    with (resources.files("features.sample") / "passages.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    header = ["id", "excerpt", "target", "standard_error", "fold"]
    for name, part in {"train": rows[:60], "test": rows[60:70], "more": rows[70:75]}.items():
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            for i, row in enumerate(part):
                writer.writerow([row["id"], row["text"], row["level"], 0.4 + i % 7 / 10, i % 3])
    with (folder / "other.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["passage"], *([row["text"]] for row in rows[50:80])])


def _without_privileges() -> list[str]:
    """What keeps root, under whom tests may run, from writing to read-only folders."""
    if os.geteuid() or not shutil.which("setpriv"):
        return []
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


def serve(address: str) -> None:
    """Answer calls until the end, a fork for each."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    for heavy in HEAVY:
        with contextlib.suppress(ModuleNotFoundError):  # an extra
            import_module(heavy)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(f"{address}.not-yet")
    listening.listen(8)
    os.rename(f"{address}.not-yet", address)
    while True:
        call, _ = listening.accept()
        if not os.fork():
            listening.close()
            _answer(call)
        call.close()


def _answer(call: socket.socket) -> None:
    """In the fork: become the program that was called, and tell its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, streams, _, _ = socket.recv_fds(call, 8, 3)
    text = b""
    while len(text) < int.from_bytes(size, "little"):
        text += call.recv(1 << 16)
    program, arguments, folder, environment = json.loads(text)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    code = 1
    try:
        _become(program, arguments)
        code = 0
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else int(left.code is not None)
        if isinstance(left.code, str):
            sys.stderr.write(f"{left.code}\n")
    except BaseException:
        traceback.print_exc()
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
        sys.stderr.flush()
    call.sendall(bytes([code]))
    os._exit(code)


def _become(program: str, arguments: list[str]) -> None:
    import runpy

    sys.argv = [program, *arguments]
    if program == "layerbank":
        from layerbank import main

        main()
        return
    sys.path.insert(0, "")
    first, *rest = arguments
    if first == "-c":
        sys.argv = ["-c", *rest[1:]]
        scope: dict[str, Any] = {"__name__": "__main__"}
        exec(compile(rest[0], "<typed>", "exec"), scope)
    elif first == "-m":
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        runpy.run_path(first, run_name="__main__")
