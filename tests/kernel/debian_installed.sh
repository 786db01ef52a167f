#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# mmdebstrap's last step: PACKAGES are installed in ROOT, SCRIPT tries them, and they are removed.
set -eu
root=$1

mkdir "$root/tmp/pyshell"
cp $PACKAGES "$SCRIPT" "$root/tmp/pyshell"
chroot "$root" apt-get install -y -qq --no-install-recommends man-db
chroot "$root" sh -c 'apt-get install -y -qq --no-install-recommends /tmp/pyshell/*.deb'
chroot "$root" env AUTOPKGTEST_TMP=/tmp/pyshell sh -ex "/tmp/pyshell/${SCRIPT##*/}"
chroot "$root" apt-get purge -y -qq pyshell
[ ! -e "$root/usr/bin/pyshell" ]
[ ! -e "$root/usr/bin/targetcli" ]
[ ! -e "$root/etc/target" ]
