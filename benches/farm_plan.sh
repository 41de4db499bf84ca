#!/bin/sh
# Compares what `dreamtuner farm plan` foretells with what a Slurm of two nodes takes:
#
#   benches/farm_plan.sh
#
# Needs `dreamtuner` in the PATH, or DREAMTUNER, root, and Debian's slurm-wlm. Both nodes are on this machine and have one
# processor each. Prints seconds, foretold and taken, of the shots that were left after the first two.
set -eu
cd "$(dirname "$0")/.."
program=$(command -v "${DREAMTUNER:-dreamtuner}")
work=$(mktemp -d)
host=$(hostname -s)
export SLURM_CONF="$work/slurm.conf"
mkdir "$work/state" "$work/spool-n1" "$work/spool-n2"
cat > "$SLURM_CONF" <<CONF
ClusterName=bench
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/none
CredType=cred/none
SlurmctldPort=17817
SlurmctldPidFile=$work/control.pid
SlurmdPidFile=$work/%n.pid
SlurmdSpoolDir=$work/spool-%n
StateSaveLocation=$work/state
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SchedulerType=sched/backfill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=17818 CPUs=1 RealMemory=500
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=17819 CPUs=1 RealMemory=500
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
slurmctld -D -c -f "$SLURM_CONF" > "$work/control.log" 2>&1 &
control=$!
slurmd -D -N n1 -f "$SLURM_CONF" > "$work/n1.log" 2>&1 &
one=$!
slurmd -D -N n2 -f "$SLURM_CONF" > "$work/n2.log" 2>&1 &
other=$!
trap 'kill "$one" "$other" "$control"; wait; rm -rf "$work"' EXIT
until [ "$(sinfo -h -t idle -o %D)" = 2 ]; do sleep 0.2; done

# 72 frames in 8 shots; the first two measure.
"$program" split --reference examples/hero.png --reference-pose examples/hero.pose.json --pose poses/disco.json --fps 24 --steps 60 \
    --threads 1 --extra-split 10 -o "$work/job.split" > /dev/null
"$program" farm slurm "$work/job.split" > "$work/all.sh"
sed 's/--array=[^ ]*/--array=0-1/' "$work/all.sh" | sh > /dev/null
until [ -z "$(squeue -h)" ]; do sleep 0.2; done
"$program" farm plan "$work/job.split" --machines 2 | tee "$work/plan"
"$program" farm plan "$work/job.split" --machines 2 --json > "$work/plan.json"
sed 's/--array=0-/--array=2-/' "$work/all.sh" > "$work/rest.sh"
begin=$(date +%s.%N)
sh "$work/rest.sh" > /dev/null
until [ -z "$(squeue -h)" ]; do sleep 0.2; done
end=$(date +%s.%N)
"$program" farm status "$work/job.split"
python3 - "$work/plan.json" "$begin" "$end" <<'PYTHON'
import json
import sys

foretold = json.load(open(sys.argv[1]))["machines"][0]["seconds"]
taken = float(sys.argv[3]) - float(sys.argv[2])
print(f"foretold {foretold:.1f} s, taken {taken:.1f} s: {foretold / taken - 1:+.1%}")
PYTHON
