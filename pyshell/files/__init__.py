# SPDX-License-Identifier: Apache-2.0
"""Files of the host: the only package that opens what root reads, obeys or writes."""
