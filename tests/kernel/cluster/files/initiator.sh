# SPDX-License-Identifier: Apache-2.0
# First set-up of the initiator, after common.sh: open-iscsi that waits for a takeover.
set -eu
echo "InitiatorName=$INITIATOR" > /etc/iscsi/initiatorname.iscsi
set_option() { sed -i "s/^#* *$1 *=.*/$1 = $2/" /etc/iscsi/iscsid.conf; }
set_option node.session.timeo.replacement_timeout "$REPLACEMENT_TIMEOUT"
set_option 'node.conn\[0\].timeo.noop_out_interval' 5
set_option 'node.conn\[0\].timeo.noop_out_timeout' 10
systemctl start iscsid
