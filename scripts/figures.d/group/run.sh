#!/usr/bin/env bash
# Six workers on this machine under one plan: latency beside the simulator's, bytes beside the
# plan's, and one process beside them. First over loopback; then, with the right to make network
# namespaces, each worker in its own, where what moves between workers moves at 100 Mbit/s, up and
# down.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

WORKERS=6
NAME=nwg$((RANDOM % 10000))
HOST=10.77.0.
GROUP=${HOST}0/26 # the workers; the coordinator's address lies beyond

remove_group() {
  for ((i = 0; i < WORKERS; ++i)); do ip netns del "$NAME-$i" 2>/dev/null || true; done
  ip link del "$NAME" 2>/dev/null || true
}

# limit NETNS-COMMAND DEVICE WAY: what the filter (src or dst in the group) takes has 100 Mbit/s.
limit() {
  local -a run=()
  [[ $1 == - ]] || run=(ip netns exec "$1")
  "${run[@]}" tc qdisc add dev "$2" root handle 1: htb default 20
  "${run[@]}" tc class add dev "$2" parent 1: classid 1:10 htb rate 100mbit quantum 60000
  "${run[@]}" tc class add dev "$2" parent 1: classid 1:20 htb rate 20gbit quantum 60000
  "${run[@]}" tc filter add dev "$2" parent 1: protocol ip u32 match ip "$3" "$GROUP" flowid 1:10
}

make_group() {
  ip link add "$NAME" type bridge &&
    ip addr add "${HOST}254/24" dev "$NAME" &&
    ip link set "$NAME" up || return 1
  for ((i = 0; i < WORKERS; ++i)); do
    ip netns add "$NAME-$i" &&
      ip link add "$NAME-$i" type veth peer name eth0 netns "$NAME-$i" &&
      ip link set "$NAME-$i" master "$NAME" up &&
      ip -n "$NAME-$i" addr add "$HOST$((i + 1))/24" dev eth0 &&
      ip -n "$NAME-$i" link set eth0 up &&
      ip -n "$NAME-$i" link set lo up &&
      limit "$NAME-$i" eth0 dst && limit - "$NAME-$i" src || return 1
  done
}

# Without links in between: what splitting alone costs on these cores.
figures_of_test worker_latency

trap 'remove_group; rm -rf "$WORK"' EXIT
if make_group >&2; then
  export NARROWS_NETNS=$NAME- NARROWS_NETNS_HOST=$HOST
  mv "$WORK/worker_latency.jsonl" "$WORK/loopback.jsonl"
  figures_of_test worker_latency
else
  echo "no network namespaces here: over loopback only" >&2
fi
