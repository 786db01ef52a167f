# SPDX-License-Identifier: Apache-2.0
"""What the commands do: one module or small package for each."""
