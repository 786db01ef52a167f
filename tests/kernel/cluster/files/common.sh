# SPDX-License-Identifier: Apache-2.0
# First set-up of a guest, by the suite: name and addresses. NAME, ADDRESSES ("eth0 1.2.3.4/24 …")
# and PEERS ("1.2.3.4 name …") come from it.
set -eu
echo "$NAME" > /etc/hostname
hostname "$NAME"
# It has a host name of its own, by which drbdadm names devices.
systemctl restart systemd-udevd
set -- $PEERS
while [ $# -gt 0 ]; do
    echo "$1 $2" >> /etc/hosts
    shift 2
done
set -- $ADDRESSES
while [ $# -gt 0 ]; do
    cat > "/etc/network/interfaces.d/$1" <<END
auto $1
iface $1 inet static
    address $2
    mtu 9000
END
    ifup "$1"
    shift 2
done
