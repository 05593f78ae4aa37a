#!/usr/bin/env bash
# Runs the quickstart, shortened, on a real Slurm cluster of three nodes on this host, and compares the bytes of its outputs
# with those of a run without Slurm: detached, with the driver killed and started again, a node that goes down while its job
# runs, and a run that is cancelled and resumed. Requires root and Debian's packages:
#
#   apt-get install -y --no-install-recommends slurmctld slurmd slurm-client munge slurm-wlm-basic-plugins
#   deno task test:slurm
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$PWD/runs/slurm
. tests/clusters/common.sh
require slurmctld slurmd munged sbatch squeue scancel scontrol
[[ $(id -u) == 0 ]] || { echo "test:slurm starts a cluster and requires root" >&2; exit 69; }

cluster=$work/cluster nodes=3
mkdir -p "$cluster"/{state,log,run,etc} "$cluster"/spool/n{0,1,2}
(umask 077 && head -c 1024 /dev/urandom >"$cluster/etc/munge.key")
cat >"$cluster/etc/slurm.conf" <<CONF
ClusterName=lab
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$cluster/run/munge.sock
SlurmctldPort=16817
SlurmctldPidFile=$cluster/run/slurmctld.pid
SlurmdPidFile=$cluster/run/slurmd-%n.pid
SlurmdSpoolDir=$cluster/spool/%n
StateSaveLocation=$cluster/state
SlurmctldLogFile=$cluster/log/slurmctld.log
SlurmdLogFile=$cluster/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
JobCompType=jobcomp/none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
KillWait=2
SlurmdParameters=config_overrides
NodeName=n[0-$((nodes - 1))] NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=[17000-$((16999 + nodes))] CPUs=2 RealMemory=4000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
export SLURM_CONF=$cluster/etc/slurm.conf
down() {
  scancel --user=root 2>/dev/null || true
  scontrol shutdown >/dev/null 2>&1 || true
  [[ ! -e $cluster/run/munged.pid ]] || kill "$(cat "$cluster/run/munged.pid")" 2>/dev/null || true
}
trap down EXIT
say "cluster of $nodes nodes"
munged --force --key-file="$cluster/etc/munge.key" --socket="$cluster/run/munge.sock" \
  --pid-file="$cluster/run/munged.pid" --log-file="$cluster/log/munged.log" --seed-file="$cluster/run/munged.seed"
slurmctld -i -c
for ((i = 0; i < nodes; i++)); do slurmd -N "n$i"; done
for ((i = 0; i < 100; i++)); do
  [[ "$(sinfo -h -t idle -o %D 2>/dev/null)" != "$nodes" ]] || break
  sleep 0.2
done
[[ "$(sinfo -h -t idle -o %D)" == "$nodes" ]] || fail "the nodes did not come up"

say "without Slurm"
pipeline "$work/here" >"$work/here.log"

say "detached; the driver is killed while a job runs, and the next one waits for that job"
pipeline "$work/killed" --executor slurm --detach
wait_for "$work/killed" sft
kill -KILL "$(sed -n 's/^process \([0-9]*\).*/\1/p' "$work/killed/run.pid")"
sleep 1
before=$(squeue --noheader --states=running --format=%i | sort)
[[ -n "$before" ]] || fail "the job did not outlive its driver"
pipeline "$work/killed" --executor slurm >"$work/killed.log" 2>&1 || { tail "$work/killed.log"; fail "resumed run"; }
grep -q "finished in" <(deno task --quiet logs sft "$work/killed") || fail "sft was not finished by the second driver"
same killed

say "a node goes down while its job runs: the job is run again on another"
pipeline "$work/node" --executor slurm >"$work/node.log" 2>&1 &
driver=$!
node=
for ((i = 0; i < 600 && ${#node} == 0; i++)); do
  node=$(squeue --noheader --states=running --name=srppo-sft --format=%N | head -n 1)
  sleep 0.2
done
[[ -n "$node" ]] || fail "no job of sft ran"
sleep 1
scontrol update "nodename=$node" state=down reason=test
# Slurm waits two minutes before it runs a job again.
for _ in $(seq 5); do
  sleep 1
  for job in $(squeue --noheader --states=pending --format=%i); do scontrol update "jobid=$job" starttime=now; done
done
wait "$driver" || { tail "$work/node.log"; fail "run with a lost node"; }
scontrol update "nodename=$node" state=resume
same node

say "cancelled and resumed"
pipeline "$work/cancelled" --executor slurm --detach
wait_for "$work/cancelled" ppo.score
deno task --quiet cancel "$work/cancelled"
[[ -z "$(squeue --noheader --states=running,pending)" ]] || fail "jobs outlived a cancelled run"
pipeline "$work/cancelled" --executor slurm >"$work/cancelled.log" 2>&1 || fail "resumed run"
same cancelled

say "time from submission to the stage's start, over all jobs of the last run"
starts "$work/cancelled"
echo "passed"
