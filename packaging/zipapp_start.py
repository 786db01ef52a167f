# SPDX-License-Identifier: Apache-2.0
"""Start the one-file pyshell: unpack its libraries where no other user can write, then run it.

Python cannot import compiled libraries from an archive. They are unpacked once, into a folder that
belongs to root (or to this user) like all its parents, regardless of `HOME` and the rest of the
environment; if there is no such folder, into a temporary one for this run.
"""

from __future__ import annotations

import os
import pwd
import stat
import sys
from zipimport import zipimporter

CACHE = "pyshell-zipapp"
_CONTENT = "content"
_DIGEST = "digest"


def main() -> int:
    """Run pyshell from the archive that this file is in."""
    if not sys.flags.isolated:  # started as 'python3 FILE': without the first line's -I
        os.execv(sys.executable, [sys.executable, "-I", *sys.argv])  # noqa: S606
    sys.path.insert(0, unpacked(sys.path[0], cache_folder()))
    from pyshell.__main__ import start

    return start()


def cache_folder() -> str:
    """Return the folder for unpacked libraries, without reading the environment."""
    if os.geteuid() == 0:
        return f"/var/cache/{CACHE}"
    return f"{pwd.getpwuid(os.geteuid()).pw_dir}/.cache/{CACHE}"


def unpacked(archive: str, cache: str) -> str:
    """Return the folder of the archive's libraries; unpack them if necessary."""
    folder = os.path.join(cache, zipimporter(archive).get_data(_DIGEST).decode())
    try:
        os.makedirs(cache, mode=0o700, exist_ok=True)
        if not is_private(cache):
            raise PermissionError(cache)
        if not os.path.isdir(folder):
            _unpack(archive, folder)
        if is_private(folder):
            return os.path.join(folder, _CONTENT)
    except OSError:
        pass  # a read-only file system, or another user's folder
    return os.path.join(_unpacked_for_this_run(archive), _CONTENT)


def _unpack(archive: str, folder: str) -> None:
    # Later starts need none of these, which take a quarter of their time.
    import shutil
    import tempfile

    scratch = tempfile.mkdtemp(dir=os.path.dirname(folder))
    _extract(archive, scratch)
    try:
        os.rename(scratch, folder)
    except OSError:  # another run has just unpacked them
        shutil.rmtree(scratch)


def _unpacked_for_this_run(archive: str) -> str:
    import atexit
    import shutil
    import tempfile

    scratch = tempfile.mkdtemp(dir="/run" if os.access("/run", os.W_OK) else None)
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    _extract(archive, scratch)
    return scratch


def _extract(archive: str, folder: str) -> None:
    import zipfile

    with zipfile.ZipFile(archive) as content:
        names = [name for name in content.namelist() if name.startswith(f"{_CONTENT}/")]
        content.extractall(folder, names)


def is_private(folder: str) -> bool:
    """Return whether only root and this user can change a folder and its parents."""
    path = os.path.abspath(folder)
    first = True
    while True:
        found = os.lstat(path)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (0, os.geteuid()):
            return False
        shared = found.st_mode & 0o022
        if shared and (first or not found.st_mode & stat.S_ISVTX):
            return False
        if path == "/":
            return True
        path, first = os.path.dirname(path), False


if __name__ == "__main__":
    sys.exit(main())
