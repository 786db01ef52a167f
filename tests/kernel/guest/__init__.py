# SPDX-License-Identifier: Apache-2.0
"""Tests that run in the guest, on the real kernel; pytest on the host boots it for them."""
