# SPDX-License-Identifier: Apache-2.0
"""What `check` verifies in a saved configuration. Nothing is changed."""
