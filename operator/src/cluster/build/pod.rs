//! The brokers' pod: restricted, read-only, and given the time to hand its leaders off.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Affinity, Capabilities, ConfigMapProjection, Container, ContainerPort, DownwardAPIProjection,
    DownwardAPIVolumeFile, EnvVar, EnvVarSource, HTTPGetAction, KeyToPath, LocalObjectReference,
    ObjectFieldSelector, PodAffinityTerm, PodAntiAffinity, PodSecurityContext, PodSpec,
    PodTemplateSpec, Probe, ProjectedVolumeSource, ResourceRequirements, SeccompProfile,
    SecretProjection, SecurityContext, Toleration, TopologySpreadConstraint, Volume, VolumeMount,
    VolumeProjection, WeightedPodAffinityTerm,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use weir_crds::{AntiAffinity, ImagePullPolicy, PodTemplate, Resources, Spread};

use super::broker_config::{CONFIG_DIR, CONFIG_FILE, DATA_DIR, RACK_FILE};
use crate::cluster::validate::Valid;
use crate::names::OWN_PORTS;

/// The rack of a pod's node, written by the operator once the pod is scheduled.
pub const RACK_ANNOTATION: &str = "weir.dev/rack";
const USER: i64 = 65532;
/// Long enough to hand every leader off and to sync what is left.
const GRACE_SECONDS: i64 = 120;

pub fn build_pod_template(valid: &Valid, config_map: &str) -> PodTemplateSpec {
    let custom = valid.spec.pod_template.clone().unwrap_or_default();
    let mut labels = custom.labels.clone();
    labels.extend(valid.names.labels());
    labels.extend(valid.names.selector());
    let version = (
        "app.kubernetes.io/version".to_owned(),
        valid.version.clone(),
    );
    labels.extend([version]);
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(labels),
            annotations: (!custom.annotations.is_empty()).then(|| custom.annotations.clone()),
            ..ObjectMeta::default()
        }),
        spec: Some(pod_spec(valid, &custom, config_map)),
    }
}

fn pod_spec(valid: &Valid, custom: &PodTemplate, config_map: &str) -> PodSpec {
    let grace = custom.termination_grace_period_seconds;
    PodSpec {
        affinity: affinity(valid, custom.anti_affinity),
        automount_service_account_token: Some(false),
        containers: vec![container(valid, custom)],
        enable_service_links: Some(false),
        image_pull_secrets: some_list(
            custom
                .image_pull_secrets
                .iter()
                .map(|name| LocalObjectReference { name: name.clone() }),
        ),
        node_selector: (!custom.node_selector.is_empty()).then(|| custom.node_selector.clone()),
        priority_class_name: custom.priority_class_name.clone(),
        security_context: Some(PodSecurityContext {
            fs_group: Some(USER),
            // Owning every file again at each start would take longer than the start.
            fs_group_change_policy: Some("OnRootMismatch".to_owned()),
            run_as_group: Some(USER),
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".to_owned(),
                localhost_profile: None,
            }),
            ..PodSecurityContext::default()
        }),
        service_account_name: Some(valid.names.service_account()),
        termination_grace_period_seconds: Some(grace.unwrap_or(GRACE_SECONDS)),
        tolerations: some_list(custom.tolerations.iter().map(toleration)),
        topology_spread_constraints: spread(valid),
        volumes: Some(vec![volume(valid, config_map)]),
        ..PodSpec::default()
    }
}

fn some_list<T>(items: impl Iterator<Item = T>) -> Option<Vec<T>> {
    let items: Vec<T> = items.collect();
    (!items.is_empty()).then_some(items)
}

fn toleration(from: &weir_crds::Toleration) -> Toleration {
    Toleration {
        effect: from.effect.clone(),
        key: from.key.clone(),
        operator: from.operator.clone(),
        toleration_seconds: from.toleration_seconds,
        value: from.value.clone(),
    }
}

fn container(valid: &Valid, custom: &PodTemplate) -> Container {
    let pull = match valid.spec.image_pull_policy {
        ImagePullPolicy::Always => "Always",
        ImagePullPolicy::IfNotPresent => "IfNotPresent",
        ImagePullPolicy::Never => "Never",
    };
    let mount = |name: &str, path: &str, read_only: bool| VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    };
    Container {
        name: "broker".to_owned(),
        image: Some(valid.image.clone()),
        image_pull_policy: Some(pull.to_owned()),
        args: Some(vec![
            "--config".to_owned(),
            format!("{CONFIG_DIR}/{CONFIG_FILE}"),
        ]),
        command: Some(vec!["weir-broker".to_owned()]),
        env: Some(env(custom)),
        ports: Some(ports(valid)),
        resources: valid.spec.resources.as_ref().map(resources),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            capabilities: Some(Capabilities {
                drop: Some(vec!["ALL".to_owned()]),
                add: None,
            }),
            read_only_root_filesystem: Some(true),
            ..SecurityContext::default()
        }),
        // The process must tick; how far its recovery is is none of the kubelet's business.
        startup_probe: Some(probe("/livez", 1, 120)),
        liveness_probe: Some(probe("/livez", 10, 6)),
        readiness_probe: Some(probe("/readyz", 3, 2)),
        volume_mounts: Some(vec![
            mount("config", CONFIG_DIR, true),
            mount("data", DATA_DIR, false),
        ]),
        ..Container::default()
    }
}

fn probe(path: &str, period_seconds: i32, failure_threshold: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String("health".to_owned()),
            ..HTTPGetAction::default()
        }),
        failure_threshold: Some(failure_threshold),
        period_seconds: Some(period_seconds),
        timeout_seconds: Some(3),
        ..Probe::default()
    }
}

fn env(custom: &PodTemplate) -> Vec<EnvVar> {
    let field = |name: &str, path: &str| EnvVar {
        name: name.to_owned(),
        value: None,
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                api_version: Some("v1".to_owned()),
                field_path: path.to_owned(),
            }),
            ..EnvVarSource::default()
        }),
    };
    let mut env = vec![
        field("POD_NAME", "metadata.name"),
        field("POD_NAMESPACE", "metadata.namespace"),
        field("NODE_NAME", "spec.nodeName"),
        field("POD_IP", "status.podIP"),
    ];
    env.extend(custom.env.iter().map(|v| EnvVar {
        name: v.name.clone(),
        value: Some(v.value.clone()),
        value_from: None,
    }));
    env
}

fn ports(valid: &Valid) -> Vec<ContainerPort> {
    let port = |name: &str, number: i32| ContainerPort {
        name: Some(name.to_owned()),
        container_port: number,
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    };
    let own = OWN_PORTS.iter().map(|(name, n)| port(name, i32::from(*n)));
    let mut ports: Vec<ContainerPort> = own.collect();
    ports.extend(valid.spec.listeners.iter().map(|l| port(&l.name, l.port)));
    ports
}

fn resources(from: &Resources) -> ResourceRequirements {
    let quantities = |map: &BTreeMap<String, String>| {
        let quantity = |(k, v): (&String, &String)| (k.clone(), Quantity(v.clone()));
        (!map.is_empty()).then(|| map.iter().map(quantity).collect())
    };
    ResourceRequirements {
        limits: quantities(&from.limits),
        requests: quantities(&from.requests),
        claims: None,
    }
}

fn selector(valid: &Valid) -> LabelSelector {
    LabelSelector {
        match_labels: Some(valid.names.selector()),
        ..LabelSelector::default()
    }
}

/// By default two brokers never share a node: a drain of it would wait for its own budget.
fn affinity(valid: &Valid, rule: AntiAffinity) -> Option<Affinity> {
    let term = PodAffinityTerm {
        label_selector: Some(selector(valid)),
        topology_key: "kubernetes.io/hostname".to_owned(),
        ..PodAffinityTerm::default()
    };
    let anti = match rule {
        AntiAffinity::Disabled => return None,
        AntiAffinity::Required => PodAntiAffinity {
            required_during_scheduling_ignored_during_execution: Some(vec![term]),
            ..PodAntiAffinity::default()
        },
        AntiAffinity::Preferred => PodAntiAffinity {
            preferred_during_scheduling_ignored_during_execution: Some(vec![
                WeightedPodAffinityTerm {
                    pod_affinity_term: term,
                    weight: 100,
                },
            ]),
            ..PodAntiAffinity::default()
        },
    };
    Some(Affinity {
        pod_anti_affinity: Some(anti),
        ..Affinity::default()
    })
}

fn spread(valid: &Valid) -> Option<Vec<TopologySpreadConstraint>> {
    let racks = valid.spec.racks.as_ref()?;
    let unsatisfiable = match racks.spread {
        Spread::Preferred => "ScheduleAnyway",
        Spread::Required => "DoNotSchedule",
    };
    Some(vec![TopologySpreadConstraint {
        label_selector: Some(selector(valid)),
        max_skew: 1,
        topology_key: racks.topology_key.clone(),
        when_unsatisfiable: unsatisfiable.to_owned(),
        ..TopologySpreadConstraint::default()
    }])
}

/// Config, certificates and rack in one volume, each kept current by the kubelet.
fn volume(valid: &Valid, config_map: &str) -> Volume {
    let item = |key: &str, path: String| KeyToPath {
        key: key.to_owned(),
        path,
        mode: None,
    };
    let config = VolumeProjection {
        config_map: Some(ConfigMapProjection {
            name: config_map.to_owned(),
            items: Some(vec![item(CONFIG_FILE, CONFIG_FILE.to_owned())]),
            optional: None,
        }),
        ..VolumeProjection::default()
    };
    let files = ["tls.crt", "tls.key", "ca.crt"];
    let tls = VolumeProjection {
        secret: Some(SecretProjection {
            name: valid.names.broker_secret(),
            items: Some(files.map(|f| item(f, format!("tls/{f}"))).to_vec()),
            optional: None,
        }),
        ..VolumeProjection::default()
    };
    let mut sources = vec![config, tls];
    if valid.spec.racks.is_some() {
        sources.push(rack());
    }
    Volume {
        name: "config".to_owned(),
        projected: Some(ProjectedVolumeSource {
            sources: Some(sources),
            default_mode: Some(0o440),
        }),
        ..Volume::default()
    }
}

fn rack() -> VolumeProjection {
    let file = DownwardAPIVolumeFile {
        path: RACK_FILE.to_owned(),
        field_ref: Some(ObjectFieldSelector {
            api_version: Some("v1".to_owned()),
            field_path: format!("metadata.annotations['{RACK_ANNOTATION}']"),
        }),
        ..DownwardAPIVolumeFile::default()
    };
    VolumeProjection {
        downward_api: Some(DownwardAPIProjection {
            items: Some(vec![file]),
        }),
        ..VolumeProjection::default()
    }
}
