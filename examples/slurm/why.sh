#!/bin/sh
# Why Slurm ends this job, in a few words, for `sentinel-run --on-stop`.
#
# squeue does not say: the state of a job that is being ended is COMPLETING, whatever the cause.
# slurmstepd does, in a line on the job's standard error, before it sends TERM:
#   slurmstepd-n1: error: *** JOB 3 ON n1 CANCELLED AT 2026-11-29T05:25:20 DUE TO PREEMPTION ***
# That is the standard error of `sentinel-run`, and of this script, too. (Below `srun` it is a pipe,
# and there is nothing to read: then the state of the job is all that is said.)
line=
if [ -f /proc/self/fd/2 ]; then
    line=$(tail -c 4096 /proc/self/fd/2 | grep -o '\*\*\* .* CANCELLED AT .*' | tail -n 1)
fi
# The last task of an array has the number of the array, too.
id=$SLURM_JOB_ID
if [ "$SLURM_ARRAY_TASK_ID" ]; then id=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID; fi
job=$(timeout 3 scontrol --oneliner show job "$id" 2>/dev/null)
field() { printf '%s\n' "$job" | tr ' ' '\n' | sed -n "s/^$1=//p" | head -n 1; }
# Whether it will run again: the controller has counted that already.
restarts=$(field Restarts) again=
if [ "${restarts:-0}" -gt "${SLURM_RESTART_COUNT:-0}" ]; then again=', requeued'; fi
state=$(field JobState)

case $state:$line in
    # Nobody ends it yet: --signal=B:TERM@60.
    RUNNING:*) echo "slurm: TERM before its end, $(squeue -h -j "$id" -o %L) left" ;;
    *'DUE TO PREEMPTION'*) echo "slurm: preempted$again" ;;
    *'DUE TO TIME LIMIT'*) echo "slurm: time limit$again" ;;
    *'DUE TO NODE FAILURE'*) echo "slurm: node failure$again" ;;
    *'DUE TO JOB REQUEUE'*) echo 'slurm: requeued' ;;
    *:?*) echo "slurm: cancelled$again" ;;
    *) echo "slurm: ${state:-no answer}$again" ;;
esac
