{{- define "weir.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- printf "%s-operator" .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-weir-operator" .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "weir.selector" -}}
app.kubernetes.io/name: weir-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "weir.labels" -}}
{{ include "weir.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: weir
{{- end -}}

{{/* What each controller may do in the namespaces that are watched, apart from the events that all write. */}}
{{- define "weir.rules.clusters" -}}
- apiGroups: ["weir.dev"]
  resources: ["queueclusters"]
  verbs: ["get", "list", "watch"]
- apiGroups: ["weir.dev"]
  resources: ["queueclusters/status"]
  verbs: ["patch"]
# The API server asks for this of whoever sets an owner that blocks the owner's deletion.
- apiGroups: ["weir.dev"]
  resources: ["queueclusters/finalizers"]
  verbs: ["update"]
- apiGroups: [""]
  resources: ["services", "configmaps"]
  verbs: ["get", "list", "watch", "create", "patch", "delete"]
- apiGroups: [""]
  resources: ["secrets", "serviceaccounts"]
  verbs: ["get", "list", "watch", "create", "patch"]
- apiGroups: [""]
  resources: ["pods"]
  verbs: ["get", "list", "watch", "patch", "delete"]
- apiGroups: [""]
  resources: ["pods/eviction"]
  verbs: ["create"]
- apiGroups: [""]
  resources: ["persistentvolumeclaims"]
  verbs: ["get", "list", "watch", "patch", "delete"]
- apiGroups: ["apps"]
  resources: ["statefulsets"]
  verbs: ["get", "list", "watch", "create", "patch", "delete"]
- apiGroups: ["policy"]
  resources: ["poddisruptionbudgets"]
  verbs: ["get", "list", "watch", "create", "patch"]
{{- end -}}

{{- define "weir.rules.topics" -}}
- apiGroups: ["weir.dev"]
  resources: ["queueclusters"]
  verbs: ["get", "list", "watch"]
- apiGroups: ["weir.dev"]
  resources: ["topics"]
  verbs: ["get", "list", "watch", "patch"]
- apiGroups: ["weir.dev"]
  resources: ["topics/status"]
  verbs: ["patch"]
# The certificate with which it talks to brokers.
- apiGroups: [""]
  resources: ["secrets"]
  verbs: ["get"]
{{- end -}}

{{- define "weir.rules.scalers" -}}
- apiGroups: ["weir.dev"]
  resources: ["queueclusters", "consumerscalers"]
  verbs: ["get", "list", "watch"]
- apiGroups: ["weir.dev"]
  resources: ["consumerscalers/status"]
  verbs: ["patch"]
- apiGroups: [""]
  resources: ["secrets"]
  verbs: ["get"]
# The pods of what it scales, and what a busy one costs.
- apiGroups: [""]
  resources: ["pods"]
  verbs: ["list", "patch"]
# What a ConsumerScaler scales; it names objects of its own namespace only.
- apiGroups: ["apps"]
  resources: ["deployments/scale"]
  verbs: ["get", "patch"]
{{- range .Values.scaler.targets }}
- apiGroups: [{{ .group | quote }}]
  resources: [{{ printf "%s/scale" .resource | quote }}]
  verbs: ["get", "patch"]
{{- end }}
# To leave alone what another autoscaler scales.
- apiGroups: ["autoscaling"]
  resources: ["horizontalpodautoscalers"]
  verbs: ["list"]
{{- end -}}

{{- define "weir.rules.events" -}}
- apiGroups: ["events.k8s.io"]
  resources: ["events"]
  verbs: ["create", "patch"]
{{- end -}}
