#!/usr/bin/env bash
# Runs the quickstart, shortened, over SSH on 127.0.0.1 and compares the bytes of its outputs with those of a run without:
# undisturbed, and with the driver killed and the run resumed. Requires Debian's openssh-server and openssh-client:
#
#   apt-get install -y --no-install-recommends openssh-server openssh-client
#   deno task test:ssh
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$PWD/runs/ssh
. tests/clusters/common.sh
require ssh ssh-keygen
server=$(command -v sshd || echo /usr/sbin/sshd)
[[ -x "$server" ]] || { echo "This test requires openssh-server, which is not installed" >&2; exit 69; }

say "SSH server on 127.0.0.1"
mkdir -p /run/sshd
ssh-keygen -q -t ed25519 -N "" -f "$work/host"
ssh-keygen -q -t ed25519 -N "" -f "$work/user"
cp "$work/user.pub" "$work/authorized"
cat >"$work/sshd_config" <<CONF
Port 22022
ListenAddress 127.0.0.1
HostKey $work/host
AuthorizedKeysFile $work/authorized
PidFile $work/sshd.pid
StrictModes no
PermitRootLogin yes
UsePAM no
CONF
"$server" -f "$work/sshd_config"
trap 'kill "$(cat "$work/sshd.pid")" 2>/dev/null || true' EXIT
printf '[127.0.0.1]:22022 %s\n' "$(cut -d ' ' -f 1,2 "$work/host.pub")" >"$work/known"
cat >"$work/site.yaml" <<CONF
executor: ssh
host: 127.0.0.1
options: [-p22022, -i$work/user, -oUserKnownHostsFile=$work/known]
stages:
  eval: { executor: process }
CONF

say "without SSH"
pipeline "$work/here" >"$work/here.log"
say "over SSH"
pipeline "$work/there" --site "$work/site.yaml" >"$work/there.log" 2>&1 || { tail "$work/there.log"; fail "run"; }
same there
say "the driver is killed: its worker ends with it, and the run is resumed"
pipeline "$work/killed" --site "$work/site.yaml" --detach
wait_for "$work/killed" sft
kill -KILL "$(sed -n 's/^process \([0-9]*\).*/\1/p' "$work/killed/run.pid")"
for ((i = 0; i < 50; i++)); do
  pgrep -f "stages/sft/main.ts.*$work/killed" >/dev/null || break
  sleep 0.1
done
! pgrep -f "stages/sft/main.ts.*$work/killed" >/dev/null || fail "the worker outlived its driver by 5 s"
pipeline "$work/killed" --site "$work/site.yaml" >"$work/killed.log" 2>&1 || { tail "$work/killed.log"; fail "resumed run"; }
same killed
say "no connection: exit code 69, with the reason of ssh"
kill "$(cat "$work/sshd.pid")"
code=0
pipeline "$work/refused" --site "$work/site.yaml" >"$work/refused.log" 2>&1 || code=$?
grep -q "No connection to 127.0.0.1 for tokenize: .*refused" "$work/refused.log" || { tail "$work/refused.log"; fail "reason"; }
[[ "$code" == 69 ]] || fail "exit code $code"
echo "passed"
