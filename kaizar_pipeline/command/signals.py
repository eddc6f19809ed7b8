"""How a command ends when it is told to."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def ended_by_signals(data: Path) -> Iterator[None]:
    """Ctrl-C, TERM and HUP end this process at once, with status 128 + signal, whatever its threads are doing.

    The temporary files of this process below the folder `data` are removed; the tables stay whole.
    """

    def end(number: int, _: Any) -> None:
        signal.signal(number, signal.SIG_DFL)  # a second one does not wait for anything
        raise _Signal(number)

    former = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    for number, handler in former.items():
        if handler != signal.SIG_IGN:  # as nohup sets it
            signal.signal(number, end)
    try:
        yield
    except _Signal as received:
        sys.stdout.flush()
        sys.stderr.flush()
        for temporary in data.rglob(f"*.{os.getpid()}.tmp*"):
            temporary.unlink(missing_ok=True)
        os._exit(128 + received.number)  # an ordinary exit would wait for threads
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


class _Signal(BaseException):
    def __init__(self, number: int):
        self.number = number
