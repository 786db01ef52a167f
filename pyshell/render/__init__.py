# SPDX-License-Identifier: Apache-2.0
"""Values as text, JSON and pictures. The only package that imports rich."""
