#!/bin/busybox sh
# The guest's first process: puts a layer in memory over the machine's own root, and runs the script there. In two
# parts, the second after the change of root.
b=/bin/busybox
. /guest
if [ ! -e /changed ]; then
    $b mount -t proc proc /proc
    $b mount -t sysfs sys /sys
    $b mount -t devtmpfs dev /dev
    while read -r module; do
        case $module in
            *.xz) $b unxz -c "/modules/$module" >"/modules/now.ko"; $b insmod /modules/now.ko ;;
            *) $b insmod "/modules/$module" ;;
        esac
    done </modules/order
    $b mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=512000 root /below
    $b mount -t tmpfs -o size=60% above /above
    $b mkdir /above/upper /above/work
    $b mount -t overlay -o lowerdir=/below,upperdir=/above/upper,workdir=/above/work overlay /new
    $b cp /init /new/init
    $b cp /guest /new/guest
    # Where this machine is a container, the guest is none.
    $b rm -f /new/.dockerenv /new/run/.containerenv
    : >/new/changed
    for place in proc sys dev; do $b mkdir -p "/new/$place"; $b mount --move "/$place" "/new/$place"; done
    exec $b switch_root /new /init
fi

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mkdir -p /dev/shm /dev/pts /dev/hugepages
mount -t tmpfs shm /dev/shm
mount -t devpts pts /dev/pts
mount -t tmpfs run /run
chmod 1777 /dev/shm
mount -t cgroup2 cgroup /sys/fs/cgroup
mount -t hugetlbfs huge /dev/hugepages
rm -rf "/lib/modules/$release"
mkdir -p /lib/modules
ln -s "$folder/kernel/lib/modules/$release" "/lib/modules/$release"
hostname guest
ip link set lo up
echo "guest: begins"
sh "$script"
echo "guest: ends with $?"
sync
echo o >/proc/sysrq-trigger
sleep 60
