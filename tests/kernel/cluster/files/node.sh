# SPDX-License-Identifier: Apache-2.0
# First set-up of a cluster node, after common.sh: configuration files from /bed, DRBD's meta data.
set -eu
cp /bed/corosync.conf /etc/corosync/corosync.conf
cp /bed/sbd /etc/default/sbd
cp /bed/disk1.res /etc/drbd.d/disk1.res
sed -i 's/usage-count yes/usage-count no/' /etc/drbd.d/global_common.conf
printf 'drbd\ni6300esb\niscsi_target_mod\ntarget_core_mod\ntarget_core_iblock\n' \
    > /etc/modules-load.d/cluster.conf
# modules-load passes over modules that the kernel's package puts on a list.
cat > /etc/systemd/system/watchdog-driver.service <<END
[Unit]
DefaultDependencies=no
Before=sbd.service sysinit.target
[Service]
Type=oneshot
ExecStart=/sbin/modprobe i6300esb heartbeat=60
[Install]
WantedBy=sysinit.target
END
cat > /etc/systemd/system/sampler.service <<END
[Unit]
RequiresMountsFor=/bed
[Service]
ExecStart=/usr/bin/python3 /bed/sampler.py /bed/samples.jsonl $SERVICE_ADDRESS
[Install]
WantedBy=multi-user.target
END
systemctl daemon-reload
systemctl enable -q watchdog-driver sampler
systemctl start watchdog-driver sampler
modprobe -a drbd target_core_mod iscsi_target_mod target_core_iblock
drbdadm create-md --force disk1
