// Volumes that grow, for the lab: each is a file system in a file of its node, on a loop device.
//
// One of these runs on every node and does what a storage driver does for the claims of its class:
// makes volumes, grows them while they are in use, and removes them. A volume that grew is larger in
// its file, its device and its file system before the claim says so.
package main

import (
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

const (
	class = "weir-loop"
	owner = "weir.dev/loop"
	// On the node; a volume is a folder in it.
	root = "/var/lib/weir-loop"
	turn = time.Second
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == onNodeWord {
		enterNode(os.Args[2:])
	}
	node := os.Getenv("NODE_NAME")
	if node == "" {
		log.Fatal("NODE_NAME is not set")
	}
	api, err := inCluster()
	if err != nil {
		log.Fatal(err)
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)
	driver := driver{api: api, node: node, mounted: map[string]bool{}}
	for {
		if err := driver.reconcile(); err != nil {
			log.Print(err)
		}
		select {
		case <-ended:
			return
		case <-time.After(turn):
		}
	}
}

type driver struct {
	api     *api
	node    string
	mounted map[string]bool
}

func (d *driver) reconcile() error {
	var claims list[claim]
	var volumes list[volume]
	if err := d.api.get("/api/v1/persistentvolumeclaims", &claims); err != nil {
		return err
	}
	if err := d.api.get("/api/v1/persistentvolumes", &volumes); err != nil {
		return err
	}
	byName := map[string]volume{}
	for _, one := range volumes.Items {
		if one.Spec.Local.Path != "" && strings.HasPrefix(one.Spec.Local.Path, root+"/") && one.Metadata.Labels[owner] == d.node {
			byName[one.Metadata.Name] = one
		}
	}
	var failed []string
	for _, one := range byName {
		if err := d.keep(one); err != nil {
			failed = append(failed, fmt.Sprintf("%s: %v", one.Metadata.Name, err))
		}
	}
	for _, one := range claims.Items {
		if err := d.serve(one, byName); err != nil {
			failed = append(failed, fmt.Sprintf("claim %s/%s: %v", one.Metadata.Namespace, one.Metadata.Name, err))
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("%s", strings.Join(failed, "; "))
	}
	return nil
}

// keep mounts a volume that this process has not seen yet, because its node may have started anew,
// and removes one whose claim is gone.
func (d *driver) keep(one volume) error {
	name := one.Metadata.Name
	if one.Status.Phase == "Released" {
		if err := onNode(removeScript, name); err != nil {
			return err
		}
		delete(d.mounted, name)
		return d.api.send("DELETE", "/api/v1/persistentvolumes/"+name, "", nil)
	}
	if d.mounted[name] {
		return nil
	}
	size, err := bytes(one.Spec.Capacity.Storage)
	if err != nil {
		return err
	}
	if err := onNode(makeScript, name, size); err != nil {
		return err
	}
	d.mounted[name] = true
	return nil
}

func (d *driver) serve(one claim, volumes map[string]volume) error {
	if one.Spec.StorageClassName != class || one.Metadata.DeletionTimestamp != "" {
		return nil
	}
	wanted, err := bytes(one.Spec.Resources.Requests.Storage)
	if err != nil {
		return err
	}
	if one.Spec.VolumeName == "" {
		if one.Metadata.Annotations["volume.kubernetes.io/selected-node"] != d.node {
			return nil
		}
		return d.provision(one, wanted)
	}
	if _, ours := volumes[one.Spec.VolumeName]; !ours || one.Status.Phase != "Bound" {
		return nil
	}
	has, err := bytes(one.Status.Capacity.Storage)
	if err != nil || has >= wanted {
		return err
	}
	return d.grow(one, wanted)
}

func (d *driver) provision(one claim, size int64) error {
	name := "pvc-" + one.Metadata.UID
	if err := onNode(makeScript, name, size); err != nil {
		return err
	}
	d.mounted[name] = true
	log.Printf("made %s of %d bytes for %s/%s", name, size, one.Metadata.Namespace, one.Metadata.Name)
	return d.api.send("POST", "/api/v1/persistentvolumes", "application/json", newVolume(name, d.node, one))
}

func (d *driver) grow(one claim, size int64) error {
	name := one.Spec.VolumeName
	if err := onNode(growScript, name, size); err != nil {
		return err
	}
	log.Printf("grew %s to %d bytes for %s/%s", name, size, one.Metadata.Namespace, one.Metadata.Name)
	capacity := one.Spec.Resources.Requests
	change := map[string]any{"spec": map[string]any{"capacity": capacity}}
	if err := d.api.send("PATCH", "/api/v1/persistentvolumes/"+name, mergePatch, change); err != nil {
		return err
	}
	// Nothing is left to do for the kubelet, so the claim has its size at once.
	change = map[string]any{"status": map[string]any{"capacity": capacity}}
	path := fmt.Sprintf("/api/v1/namespaces/%s/persistentvolumeclaims/%s/status", one.Metadata.Namespace, one.Metadata.Name)
	return d.api.send("PATCH", path, mergePatch, change)
}
