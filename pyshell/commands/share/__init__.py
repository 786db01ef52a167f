# SPDX-License-Identifier: Apache-2.0
"""`share` and `unshare`: export a disk to initiators in one command."""
