# SPDX-License-Identifier: Apache-2.0
"""What rtslib does alone with the whole configuration.

python -m tests.bench.peers restore|dump|clear FILE
"""

import json
import sys

import rtslib_fb


def main() -> None:
    """Do one of them."""
    act, file = sys.argv[1:3]
    root = rtslib_fb.RTSRoot()
    if act == "restore":
        with open(file, encoding="utf-8") as saved:
            root.restore(json.load(saved))
    elif act == "dump":
        json.dumps(root.dump())
    else:
        root.clear_existing(confirm=True)


if __name__ == "__main__":
    main()
