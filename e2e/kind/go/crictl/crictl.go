// Package crictl has the few commands of crictl that kind runs in a node: inspecti (kind load),
// images and ps (kind export logs).
package crictl

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel/trace/noop"
	internalapi "k8s.io/cri-api/pkg/apis"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
	remote "k8s.io/cri-client/pkg"
)

const (
	endpoint = "unix:///run/containerd/containerd.sock"
	patience = 10 * time.Second
)

// Command is the whole of crictl.
func Command() *cobra.Command {
	root := &cobra.Command{Use: "crictl", SilenceUsage: true}
	ps := &cobra.Command{Use: "ps", RunE: func(*cobra.Command, []string) error { return listContainers() }}
	ps.Flags().BoolP("all", "a", false, "taken for compatibility; all are always shown")
	root.AddCommand(
		&cobra.Command{
			Use: "inspecti IMAGE...", Args: cobra.MinimumNArgs(1),
			RunE: func(_ *cobra.Command, names []string) error { return inspectImages(names) },
		},
		&cobra.Command{
			Use: "images", Aliases: []string{"image"},
			RunE: func(*cobra.Command, []string) error { return listImages() },
		},
		ps,
	)
	return root
}

func images() (internalapi.ImageManagerService, error) {
	return remote.NewRemoteImageService(endpoint, patience, noop.NewTracerProvider(), nil)
}

func inspectImages(names []string) error {
	service, err := images()
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	for _, name := range names {
		found, err := service.ImageStatus(context.Background(), &runtime.ImageSpec{Image: name}, false)
		if err != nil {
			return err
		}
		image := found.GetImage()
		if image == nil {
			return fmt.Errorf("no such image %q present", name)
		}
		status := map[string]any{
			"id": image.Id, "repoTags": image.RepoTags, "repoDigests": image.RepoDigests, "size": fmt.Sprint(image.Size),
		}
		if err := out.Encode(map[string]any{"status": status}); err != nil {
			return err
		}
	}
	return nil
}

func listImages() error {
	service, err := images()
	if err != nil {
		return err
	}
	list, err := service.ListImages(context.Background(), nil)
	for _, image := range list {
		fmt.Printf("%-90s %.25s %6.1fMB\n", strings.Join(image.RepoTags, ","), image.Id, float64(image.Size)/1e6)
	}
	return err
}

func listContainers() error {
	service, err := remote.NewRemoteRuntimeService(endpoint, patience, noop.NewTracerProvider(), nil)
	if err != nil {
		return err
	}
	list, err := service.ListContainers(context.Background(), nil)
	for _, c := range list {
		fmt.Printf("%.13s %-20s %d %s %s/%s\n", c.Id, c.State, c.Metadata.GetAttempt(), c.Metadata.GetName(),
			c.Labels["io.kubernetes.pod.namespace"], c.Labels["io.kubernetes.pod.name"])
	}
	return err
}
