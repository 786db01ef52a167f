# SPDX-License-Identifier: Apache-2.0
"""What initiators see of what pyshell exports: iscsi-test-cu and sg3_utils, and a golden list."""
