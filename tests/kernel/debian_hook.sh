#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# mmdebstrap's last step: ROOT becomes a host that an administrator could have just installed, and
# a disk. DEPENDS are packages that apt gets while there is a network, ARCHIVES more of them in files,
# IMAGE is the disk's file, AGENT the unit that does in the guest what the bed asks for, MORE a
# script for the root, or nothing.
set -eu
root=$1

chroot "$root" apt-get install -y -qq --no-install-recommends $DEPENDS
for archive in $ARCHIVES; do
    cp "$archive" "$root/tmp/archive.deb"
    chroot "$root" apt-get install -y -qq --no-install-recommends /tmp/archive.deb
    rm "$root/tmp/archive.deb"
done
# mmdebstrap's own, which would keep all services from being started and stopped by packages.
rm -f "$root/usr/sbin/policy-rc.d"
# None of these could do its work in the guest, and all would take time there.
chroot "$root" systemctl disable -q apt-daily.timer apt-daily-upgrade.timer e2scrub_reap.service

echo debian > "$root/etc/hostname"
echo 127.0.1.1 debian >> "$root/etc/hosts"
# Both hosts of the owner's scenario are this one, and connections come from the initiator's address.
cat > "$root/etc/network/interfaces" <<'END'
auto lo
iface lo inet loopback
    up ip address add 192.168.56.101/32 dev lo
    up ip address add 192.168.56.105/32 dev lo
    up ip route replace local 192.168.56.101 dev lo table local proto kernel scope host src 192.168.56.105
END
echo InitiatorName=iqn.2020-07.192.168.56.105:client > "$root/etc/iscsi/initiatorname.iscsi"

mkdir -p "$root/bed" "$root/lib/modules"
cp "$AGENT" "$root/etc/systemd/system/bed.service"
chroot "$root" systemctl enable -q bed.service

[ -z "$MORE" ] || sh "$MORE" "$root"

# Without what is mounted below it.
mkdir "$root/mnt/bare"
mount --bind "$root" "$root/mnt/bare"
mke2fs -q -t ext4 -O "$JOURNAL" -d "$root/mnt/bare" "$IMAGE" 3G
umount "$root/mnt/bare"
