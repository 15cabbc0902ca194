"""A disk that can be filled: a small file system in memory where that may be mounted, else a limit to the size of files."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests.end_to_end.chaos.site import Site

SIZE = "400m"


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """The folder is a file system of its own, of `SIZE`, if this user may mount one."""
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)], capture_output=True).returncode == 0
    try:
        yield
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def filled(site: Site, left: int) -> Iterator[None]:
    """Meanwhile that many bytes are left on the disk, or the site's run may write no file that is longer."""
    if os.path.ismount(site.disk):
        ballast = site.disk / "ballast"
        try:
            free = os.statvfs(site.disk)
            with ballast.open("wb") as file, suppress(OSError):
                os.posix_fallocate(file.fileno(), 0, max(1, free.f_bavail * free.f_frsize - left))
            yield
        finally:
            ballast.unlink(missing_ok=True)
        return
    before = {}
    for process in [psutil.Process(site.run.process.pid), *site.look(site.run)]:
        with suppress(psutil.Error):
            before[process] = process.rlimit(resource.RLIMIT_FSIZE)
            process.rlimit(resource.RLIMIT_FSIZE, (left, before[process][1]))
    yield
    for process, limit in before.items():
        with suppress(psutil.Error):
            process.rlimit(resource.RLIMIT_FSIZE, limit)
