# SPDX-License-Identifier: Apache-2.0
"""`python -m pyshell`."""

import sys

from pyshell.cli import main

if __name__ == "__main__":
    sys.exit(main())
