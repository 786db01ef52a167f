# SPDX-License-Identifier: Apache-2.0
"""The machine around the target: devices, network, services, handlers."""
