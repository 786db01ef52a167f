# SPDX-License-Identifier: Apache-2.0
"""The kernel's storage target: the only package that imports rtslib-fb.

`attach` opens the real kernel or a simulated one; `places` names every object and its folder in
configfs; `listing` reads them cheaply; `operations` change them through rtslib.
"""
