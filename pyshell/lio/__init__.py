# SPDX-License-Identifier: Apache-2.0
"""The kernel's storage target.

`attach` opens the real kernel's or a simulated one; `identifiers` name every object and its folder
in configfs; `listing` reads them cheaply; `operations` change them through rtslib, which only
`rtslib` and `rtslib_objects` import.
"""
