#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
# First program of a guest with a disk of its own, in the initramfs: goes on with the disk's init,
# which finds the modules of this kernel and a folder of the host, /bed, beside what it has.
export PATH=/bin
/bin/busybox mkdir -p /proc /sys /dev /root
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev

while read -r module; do insmod "/modules/$module"; done < /modules/order

until mount -t ext4 /dev/vda /root 2>/dev/null; do sleep 0.1; done
share="trans=virtio,version=9p2000.L,msize=512000"
mount -t 9p -o "$share,ro,cache=loose" modules /root/lib/modules
# Not cached, so that each side sees at once what the other writes.
mount -t 9p -o "$share,cache=none" bed /root/bed

for place in proc sys dev; do mount --move "/$place" "/root/$place"; done
exec switch_root /root /sbin/init
