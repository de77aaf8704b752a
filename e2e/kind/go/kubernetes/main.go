// Kubernetes as one program that takes its part from its name, so that a node image carries the
// common code once. Beside it two stand-ins, crictl and kindnetd, which are not Go modules.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubeadm "k8s.io/kubernetes/cmd/kubeadm/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"

	"weir.dev/e2e/kind/crictl"
	"weir.dev/e2e/kind/kindnetd"
)

// parts are constructors, because making a command already registers flags and metrics.
var parts = map[string]func() *cobra.Command{
	"kube-apiserver":          func() *cobra.Command { return apiserver.NewAPIServerCommand() },
	"kube-controller-manager": func() *cobra.Command { return controllermanager.NewControllerManagerCommand() },
	"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	"kubelet":                 func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) },
	"kube-proxy":              func() *cobra.Command { return proxy.NewProxyCommand() },
	"kubectl":                 func() *cobra.Command { return kubectl.NewDefaultKubectlCommand() },
	"crictl":                  crictl.Command,
	"kindnetd":                kindnetd.Command,
}

func main() {
	name := filepath.Base(os.Args[0])
	if name == "kubeadm" {
		if err := kubeadm.Run(); err != nil {
			os.Exit(1)
		}
		return
	}
	part, known := parts[name]
	if !known && len(os.Args) > 1 {
		name = os.Args[1]
		os.Args = os.Args[1:]
		part, known = parts[name]
	}
	if !known {
		fmt.Fprintf(os.Stderr, "%s is no part of this program\n", name)
		os.Exit(2)
	}
	os.Exit(cli.Run(part()))
}
