#!/bin/sh
# The first process of a machine's namespaces: it puts the file system together and becomes systemd. LOWER is the system,
# UPPER and WORK take what changes, ROOT is where it is mounted, NAME is the host's name. All mounts are in the machine's own mount
# namespace and vanish with its last process.
set -eu
mount --make-rprivate /
mount -t overlay machine -o "lowerdir=$LOWER,upperdir=$UPPER,workdir=$WORK" "$ROOT"

mount -t proc -o nosuid,nodev,noexec proc "$ROOT/proc"
# Namespaces do not keep systemd-sysctl from setting the host's kernel.
for path in sys sysrq-trigger irq bus; do
	[ -e "$ROOT/proc/$path" ] || continue
	mount --bind "$ROOT/proc/$path" "$ROOT/proc/$path"
	mount -o remount,bind,ro "$ROOT/proc/$path"
done
mount -t sysfs -o nosuid,nodev,noexec,ro sysfs "$ROOT/sys"
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$ROOT/sys/fs/cgroup"

mount -t tmpfs -o nosuid,mode=755 tmpfs "$ROOT/dev"
mkdir "$ROOT/dev/pts" "$ROOT/dev/shm"
for device in null zero full random urandom tty; do
	touch "$ROOT/dev/$device"
	mount --bind "/dev/$device" "$ROOT/dev/$device"
done
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$ROOT/dev/pts"
mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs "$ROOT/dev/shm"
ln -s pts/ptmx "$ROOT/dev/ptmx"
ln -s /proc/self/fd "$ROOT/dev/fd"
ln -s /proc/self/fd/0 "$ROOT/dev/stdin"
ln -s /proc/self/fd/1 "$ROOT/dev/stdout"
ln -s /proc/self/fd/2 "$ROOT/dev/stderr"
mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs "$ROOT/run"
mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs "$ROOT/tmp"
mkdir -p "$ROOT/run/lock"

echo "$NAME" >"$ROOT/etc/hostname"
hostname "$NAME"
ip link set lo up
cd "$ROOT"
mkdir -p .host
pivot_root . .host
umount -l /.host
rmdir /.host
# Without what reaches beyond the namespaces: modules, clock, devices, the kernel's log.
exec setpriv --bounding-set \
	-sys_module,-sys_time,-sys_rawio,-mknod,-sys_boot,-syslog,-mac_admin,-mac_override,-wake_alarm,-block_suspend,-perfmon,-bpf \
	env -i container=machine PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
	/lib/systemd/systemd --system --log-target=journal
