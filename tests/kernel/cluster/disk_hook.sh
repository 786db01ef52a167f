#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The root ROOT becomes one for a node of the cluster and for the initiator: nothing of either runs
# before the suite has written its configuration.
set -eu
root=$1

# The network cards in their order, and no addresses but those that the suite gives them.
ln -s /dev/null "$root/etc/systemd/network/99-default.link"
printf 'auto lo\niface lo inet loopback\nsource /etc/network/interfaces.d/*\n' \
    > "$root/etc/network/interfaces"
rm -f "$root/etc/iscsi/initiatorname.iscsi"
for unit in corosync pacemaker sbd drbd iscsid.socket iscsid open-iscsi lvm2-monitor \
    rtslib-fb-targetctl target targetclid.socket systemd-timesyncd logd \
    dpkg-db-backup.timer fstrim.timer apt-daily.timer getty@tty1 serial-getty@ttyS0; do
    chroot "$root" systemctl disable -q "$unit" 2>/dev/null || :
done
chroot "$root" systemctl mask -q serial-getty@ttyS0.service getty@tty1.service
# Messages survive a kill of the guest that wrote them as well as they can.
mkdir -p "$root/var/log/journal" "$root/etc/systemd/journald.conf.d"
printf '[Journal]\nStorage=persistent\nSyncIntervalSec=5s\n' \
    > "$root/etc/systemd/journald.conf.d/cluster.conf"
