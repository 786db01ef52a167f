#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
# First program of the guest, in the initramfs: lays a throw-away overlay over the host's root
# and goes on there with prepare.sh.
export PATH=/bin
/bin/busybox mkdir -p /proc /sys /dev /host /over /root
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev

while read -r module; do insmod "/modules/$module"; done < /modules/order

share="trans=virtio,version=9p2000.L,msize=512000"
mount -t 9p -o "$share,ro,cache=loose" host /host
mount -t tmpfs -o size=75% over /over
mkdir /over/upper /over/work
mount -t overlay -o lowerdir=/host,upperdir=/over/upper,workdir=/over/work overlay /root

# What runs on the host is none of the guest's business: it gets an empty /run.
mount -t tmpfs run /root/run
mkdir /root/run/bed
# Not cached, so that the host sees each line as it is written.
mount -t 9p -o "$share,cache=none" results /root/run/bed

for place in proc sys dev; do mount --move "/$place" "/root/$place"; done
exec switch_root /root /bin/sh /run/bed/.boot.sh
