# SPDX-License-Identifier: Apache-2.0
# In the guest: runs /bed/N.command, N counting up from 1 over all boots, each once. N.status tells
# of its end, N.out and N.err what it said. /bed/boots gets a line each boot.
export HOME=/root LANG=C.UTF-8 COLUMNS=101 DEBIAN_FRONTEND=noninteractive
cd /root
cat /proc/sys/kernel/random/boot_id >> /bed/boots

next=1
while [ -e "/bed/$next.begun" ]; do next=$((next + 1)); done
while sleep 0.2; do
    ask=/bed/$next
    [ -e "$ask.command" ] || continue
    mv "$ask.command" "$ask.begun"
    sh "$ask.begun" </dev/null >"$ask.out" 2>"$ask.err"
    # The host looks for this name, and must not find an empty file.
    echo $? > "$ask.ended"
    mv "$ask.ended" "$ask.status"
    next=$((next + 1))
done
