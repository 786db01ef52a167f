# SPDX-License-Identifier: Apache-2.0
"""Two cluster nodes and an initiator, to see what a takeover does to a host that writes."""
