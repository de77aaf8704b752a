package main

import (
	"fmt"
	"log"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
)

// What has to be done on a node, with the tools that its image has. $1 is the volume's folder, $2 its size.
const (
	// ext4 grows while it is mounted only for those who have CAP_SYS_RESOURCE (bit 24); XFS does not ask for it.
	// Loop devices are made by the host as they are wanted, and a container does not see those made after its start.
	makeScript = `
mkdir -p "$1/mounted"
if [ ! -f "$1/image" ]; then
  truncate -s "$2" "$1/image.new"
  caps=$((0x$(sed -n 's/^CapBnd:[[:space:]]*//p' /proc/self/status)))
  if [ $((caps >> 24 & 1)) = 1 ]; then mkfs.ext4 -q -F "$1/image.new"; else mkfs.xfs -q -f "$1/image.new"; fi
  mv "$1/image.new" "$1/image"
fi
if ! mountpoint -q "$1/mounted"; then
  for n in $(seq 0 63); do [ -e /dev/loop$n ] || mknod -m 0660 /dev/loop$n b 7 $n; done
  case $(blkid -o value -s TYPE "$1/image") in
    # XFS would set room aside beyond the end of every open file, a third of a small volume in all.
    xfs) mount -o loop,allocsize=64k "$1/image" "$1/mounted" ;;
    *) mount -o loop "$1/image" "$1/mounted" ;;
  esac
fi
mkdir -p "$1/mounted/data"`

	growScript = `
truncate -s "$2" "$1/image"
losetup -c "$(findmnt -n -o SOURCE -M "$1/mounted")"
case $(findmnt -n -o FSTYPE -M "$1/mounted") in
  ext4) resize2fs "$(findmnt -n -o SOURCE -M "$1/mounted")" ;;
  *) xfs_growfs "$1/mounted" ;;
esac`

	// The loop device goes with its mount.
	removeScript = `
if mountpoint -q "$1/mounted"; then umount "$1/mounted"; fi
rm -rf "$1"`

	onNodeWord = "on-node"
	// Of <linux/sched.h>; the number of the system call is x86-64's.
	cloneFS, cloneNewNS, setns = 0x200, 0x20000, 308
)

// onNode runs a script as the node's own root would.
func onNode(script, volume string, size ...int64) error {
	words := []string{onNodeWord, script, root + "/" + volume}
	for _, one := range size {
		words = append(words, strconv.FormatInt(one, 10))
	}
	if said, err := exec.Command("/proc/self/exe", words...).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, said)
	}
	return nil
}

// enterNode becomes a shell in the mount namespace of the node's first process.
func enterNode(words []string) {
	runtime.LockOSThread()
	first, err := os.Open("/proc/1/ns/mnt")
	if err != nil {
		log.Fatal(err)
	}
	// Threads share their root folder, and who shares it cannot move.
	if err := syscall.Unshare(cloneFS); err != nil {
		log.Fatal("unshare: ", err)
	}
	if _, _, failed := syscall.RawSyscall(setns, first.Fd(), cloneNewNS, 0); failed != 0 {
		log.Fatal("setns: ", failed)
	}
	path := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	log.Fatal(syscall.Exec("/bin/sh", append([]string{"sh", "-ec", words[0], "sh"}, words[1:]...), path))
}
