#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Puts Debian's targetcli, and the library that has its unit, into /srv of ROOT: a guest that is to
# install them again finds no network.
set -eu
chroot "$1" sh -ec 'cd /srv && apt-get download -qq targetcli-fb python3-rtslib-fb'
