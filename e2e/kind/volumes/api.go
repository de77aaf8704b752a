package main

import (
	gobytes "bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	account    = "/var/run/secrets/kubernetes.io/serviceaccount/"
	mergePatch = "application/merge-patch+json"
)

type list[T any] struct {
	Items []T `json:"items"`
}

type metadata struct {
	Name              string            `json:"name"`
	Namespace         string            `json:"namespace"`
	UID               string            `json:"uid"`
	DeletionTimestamp string            `json:"deletionTimestamp"`
	Labels            map[string]string `json:"labels"`
	Annotations       map[string]string `json:"annotations"`
}

type storage struct {
	Storage string `json:"storage"`
}

type claim struct {
	Metadata metadata `json:"metadata"`
	Spec     struct {
		StorageClassName string   `json:"storageClassName"`
		VolumeName       string   `json:"volumeName"`
		AccessModes      []string `json:"accessModes"`
		Resources        struct {
			Requests storage `json:"requests"`
		} `json:"resources"`
	} `json:"spec"`
	Status struct {
		Phase    string  `json:"phase"`
		Capacity storage `json:"capacity"`
	} `json:"status"`
}

type volume struct {
	Metadata metadata `json:"metadata"`
	Spec     struct {
		Capacity storage `json:"capacity"`
		Local    struct {
			Path string `json:"path"`
		} `json:"local"`
	} `json:"spec"`
	Status struct {
		Phase string `json:"phase"`
	} `json:"status"`
}

type object = map[string]any

func newVolume(name, node string, one claim) object {
	here := object{"key": "kubernetes.io/hostname", "operator": "In", "values": []string{node}}
	return object{
		"apiVersion": "v1",
		"kind":       "PersistentVolume",
		"metadata": object{
			"name":        name,
			"labels":      object{owner: node},
			"annotations": object{"pv.kubernetes.io/provisioned-by": owner},
		},
		"spec": object{
			"capacity":                      one.Spec.Resources.Requests,
			"accessModes":                   one.Spec.AccessModes,
			"persistentVolumeReclaimPolicy": "Delete",
			"storageClassName":              class,
			// A folder in the file system: where that is not mounted, it is not there, and no pod starts without it.
			"local":        object{"path": root + "/" + name + "/mounted/data"},
			"nodeAffinity": object{"required": object{"nodeSelectorTerms": []object{{"matchExpressions": []object{here}}}}},
			"claimRef": object{
				"apiVersion": "v1", "kind": "PersistentVolumeClaim",
				"namespace": one.Metadata.Namespace, "name": one.Metadata.Name, "uid": one.Metadata.UID,
			},
		},
	}
}

// bytes reads the quantities that the suites use: whole numbers, plain or with a binary suffix.
func bytes(quantity string) (int64, error) {
	if quantity == "" {
		return 0, nil
	}
	factor, digits := int64(1), quantity
	for power, suffix := range []string{"Ki", "Mi", "Gi", "Ti"} {
		if found, has := strings.CutSuffix(quantity, suffix); has {
			digits, factor = found, int64(1)<<(10*(power+1))
		}
	}
	count, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no size that this driver knows", quantity)
	}
	return count * factor, nil
}

type api struct {
	base   string
	client *http.Client
}

func inCluster() (*api, error) {
	authority, err := os.ReadFile(account + "ca.crt")
	if err != nil {
		return nil, err
	}
	known := x509.NewCertPool()
	known.AppendCertsFromPEM(authority)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: known}}
	host := net.JoinHostPort(os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT"))
	return &api{base: "https://" + host, client: &http.Client{Transport: transport, Timeout: 20 * time.Second}}, nil
}

func (a *api) get(path string, into any) error {
	said, err := a.call("GET", path, "", nil)
	if err != nil {
		return err
	}
	return json.Unmarshal(said, into)
}

// send writes; what is there already, or is gone already, is as good.
func (a *api) send(method, path, kind string, body any) error {
	_, err := a.call(method, path, kind, body)
	return err
}

func (a *api) call(method, path, kind string, body any) ([]byte, error) {
	var text []byte
	if body != nil {
		made, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		text = made
	}
	request, err := http.NewRequest(method, a.base+path, gobytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	// It is replaced while we run.
	token, err := os.ReadFile(account + "token")
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+string(token))
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	answer, err := a.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	done := method == "POST" && answer.StatusCode == http.StatusConflict || method == "DELETE" && answer.StatusCode == http.StatusNotFound
	if answer.StatusCode >= 300 && !done {
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, answer.Status, said)
	}
	return said, nil
}
