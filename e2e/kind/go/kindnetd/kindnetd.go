// Package kindnetd stands in for kind's network daemon: same manifest, same job (a CNI
// configuration from the node's pod range, a route to every other node's range, masquerade for
// what leaves the pods' subnet). No network policies, IPv4 only.
package kindnetd

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/vishvananda/netlink"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

const (
	configPath = "/etc/cni/net.d/10-kindnet.conflist"
	config     = `{"cniVersion":"0.4.0","name":"kindnet","plugins":[
 {"type":"ptp","ipMasq":false,"mtu":%d,"ipam":{"type":"host-local","dataDir":"/run/cni-ipam-state","routes":[{"dst":"0.0.0.0/0"}],"ranges":[[{"subnet":%q}]]}},
 {"type":"portmap","capabilities":{"portMappings":true}}]}
`
	interval = 5 * time.Second
	patience = 20 * time.Second
)

// Command is the whole daemon.
func Command() *cobra.Command {
	return &cobra.Command{Use: "kindnetd", RunE: func(*cobra.Command, []string) error { return run() }}
}

func run() error {
	podSubnet := os.Getenv("POD_SUBNET")
	cfg, err := rest.InClusterConfig()
	if err != nil {
		return err
	}
	if endpoint := os.Getenv("CONTROL_PLANE_ENDPOINT"); endpoint != "" {
		cfg.Host = "https://" + endpoint
	}
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return err
	}
	for ; ; time.Sleep(interval) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		nodes, err := client.CoreV1().Nodes().List(ctx, meta.ListOptions{})
		cancel()
		if err != nil {
			log.Print(err)
			continue
		}
		if err := masquerade(podSubnet); err != nil {
			log.Print(err)
		}
		own := addresses()
		for i := range nodes.Items {
			if err := follow(&nodes.Items[i], own); err != nil {
				log.Print(nodes.Items[i].Name, ": ", err)
			}
		}
	}
}

// addresses are those that this node has now. Nodes that were stopped may come back with each
// other's, and what the daemon's pod was told when it was made is old then.
func addresses() map[string]bool {
	own := map[string]bool{}
	found, _ := net.InterfaceAddrs()
	for _, one := range found {
		if ip, _, err := net.ParseCIDR(one.String()); err == nil {
			own[ip.String()] = true
		}
	}
	return own
}

// follow configures the own node, and routes to any other.
func follow(node *core.Node, own map[string]bool) error {
	ip := ""
	for _, address := range node.Status.Addresses {
		if address.Type == core.NodeInternalIP {
			ip = address.Address
		}
	}
	if node.Spec.PodCIDR == "" || ip == "" {
		return nil
	}
	if own[ip] {
		return configure(node.Spec.PodCIDR)
	}
	_, pods, err := net.ParseCIDR(node.Spec.PodCIDR)
	if err != nil {
		return err
	}
	return netlink.RouteReplace(&netlink.Route{Dst: pods, Gw: net.ParseIP(ip)})
}

func configure(podCIDR string) error {
	want := fmt.Sprintf(config, linkMTU(), podCIDR)
	if have, _ := os.ReadFile(configPath); string(have) == want {
		return nil
	}
	if err := os.WriteFile(configPath+".tmp", []byte(want), 0o644); err != nil {
		return err
	}
	return os.Rename(configPath+".tmp", configPath)
}

// linkMTU is that of eth0, the one interface of a node; pods use the same.
func linkMTU() int {
	links, err := netlink.LinkList()
	if err != nil {
		return 1500
	}
	for _, link := range links {
		if a := link.Attrs(); a.Name == "eth0" {
			return a.MTU
		}
	}
	return 1500
}

func masquerade(podSubnet string) error {
	for _, rule := range []string{
		"-N KIND-MASQ-AGENT",
		"-C KIND-MASQ-AGENT -d " + podSubnet + " -j RETURN",
		"-C KIND-MASQ-AGENT -j MASQUERADE",
		"-C POSTROUTING -m addrtype ! --dst-type LOCAL -j KIND-MASQ-AGENT",
	} {
		words := strings.Fields(rule)
		if iptables(words) == nil || words[0] == "-N" {
			continue
		}
		words[0] = "-A"
		if err := iptables(words); err != nil {
			return err
		}
	}
	return nil
}

func iptables(words []string) error {
	out, err := exec.Command("iptables", append([]string{"-w", "-t", "nat"}, words...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("iptables %v: %w: %s", words, err, out)
	}
	return nil
}
