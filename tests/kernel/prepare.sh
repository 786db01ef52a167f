# SPDX-License-Identifier: Apache-2.0
# Second program of the guest, process 1 on the host's own root: makes the guest a host with LIO,
# runs one command, powers off. The bed sets variables ahead of this text:
# VERSION of the kernel, its folder MODULES, the RESULTS folder, LOAD (module names), LVM,
# the name of the INITIATOR.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

echo pyshell-bed > /proc/sys/kernel/hostname
mkdir -p /dev/pts /dev/shm /run/lock/iscsi /run/home /run/tmp "$RESULTS" /lib/modules
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs shm /dev/shm
# As udev makes them, which runs in no guest unless a test starts it.
ln -s /proc/self/fd /dev/fd
ln -s fd/0 /dev/stdin; ln -s fd/1 /dev/stdout; ln -s fd/2 /dev/stderr
mount --bind /run/bed "$RESULTS"
ln -sfn "$MODULES" "/lib/modules/$VERSION"

# The host's own configuration must not leak in.
for place in /etc/target /var/target /etc/iscsi /var/lib/iscsi; do
    mkdir -p "$place"
    mount -t tmpfs state "$place"
done

# Both hosts of the owner's scenario are this one. Connections to the target's address come from
# the initiator's, as they would over a wire.
ip link set lo up
ip address add 192.168.56.101/32 dev lo
ip address add 192.168.56.105/32 dev lo
ip route replace local 192.168.56.101 dev lo table local proto kernel scope host src 192.168.56.105

modprobe -a configfs $LOAD
mount -t configfs none /sys/kernel/config

# The scenario's volume, on a sparse file in memory; no udev runs that LVM could wait for.
if [ "$LVM" ]; then
    modprobe -a loop dm_mod
    truncate -s 21G /run/lee.disk
    disk=$(losetup --find --show /run/lee.disk)
    config="activation{udev_sync=0 udev_rules=0} devices{use_devicesfile=0}"
    pvcreate -q --config "$config" "$disk"
    vgcreate -q --config "$config" lee "$disk"
    lvcreate -q -y -Zn -Wn --config "$config" -L 20G -n lee.lv lee
fi >/dev/console 2>&1

# What a user's host has anyway; tests start it as they want it.
if [ "$INITIATOR" ]; then
    modprobe -a iscsi_tcp sd_mod
    /lib/systemd/systemd-udevd --daemon
    echo "InitiatorName=$INITIATOR" > /etc/iscsi/initiatorname.iscsi
    echo 'node.startup = manual' > /etc/iscsi/iscsid.conf
    iscsid
fi >/dev/console 2>&1

: > "$RESULTS/.started"
(. /run/bed/.command.sh) </dev/null >"$RESULTS/stdout" 2>"$RESULTS/stderr"
echo $? > "$RESULTS/.status"
# The host looks for this name, and must not find an empty file.
mv "$RESULTS/.status" "$RESULTS/status"
exec busybox poweroff -f
