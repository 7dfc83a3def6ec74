# corpus: healthy
# what: a job is frozen with its control group, which somebody outside will thaw
# outside: sh {file} outside
# as: root
# unprovable-for-user: only root may make a control group
if [ "$1" = outside ]; then
    root=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
    group=$root/corpus-frozen-$$
    [ -n "$root" ] && mkdir "$group" || { echo "no cgroup v2 can be made"; exit 77; }
    # What is in the group is ended by the time this is.
    trap 'echo 0 >"$group/cgroup.freeze"; rmdir "$group"; exit' TERM
    echo "$group" >group
    touch ready
    until [ -e up ]; do sleep 0.1; done
    echo 1 >"$group/cgroup.freeze"
    sleep 3600 &
    wait
fi
echo $$ >"$(cat group)/cgroup.procs"
exec perl -e '
    pipe R, W; vec($set, fileno R, 1) = 1;
    open U, ">", "up"; close U;
    sysread R, $byte, 1;'
