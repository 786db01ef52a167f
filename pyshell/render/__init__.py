# SPDX-License-Identifier: Apache-2.0
"""Values to text: the drawn tree, JSON. Knows no node; the only package that imports rich."""
