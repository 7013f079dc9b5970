"""What every process that is started does first; it imports nothing, so that a cold start can be measured in one."""

import multiprocessing
import os
import signal
import threading


def begin_child() -> None:
    """Leave Ctrl-C, which reaches every process of a terminal, to the driver; and end when the driver does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # a driver that was killed cannot say goodbye
