//! Which pod template the StatefulSet is given: the newest, or the one that runs.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use kube::ResourceExt;

use super::build::{
    INPUTS, RENDER, RESTARTED, StatefulSetParts, build_pod_template, inputs_digest, render_mark,
};
use super::validate::Valid;

/// The stamp of `kubectl rollout restart` and of the command line.
pub const STAMP: &str = "kubectl.kubernetes.io/restartedAt";

/// The stamp of the last restart that somebody asked for.
pub fn restarted_at(set: &StatefulSet) -> Option<String> {
    let template = &set.spec.as_ref()?.template;
    let annotations = template.metadata.as_ref()?.annotations.as_ref()?;
    annotations.get(STAMP).cloned()
}

/// The template to write. What a newer operator would render differently from the same inputs
/// stays as it is until a user changes something or asks for a restart: an upgrade of the operator
/// restarts no broker.
pub fn choose(
    valid: &Valid,
    live: Option<&StatefulSet>,
    config_map: &str,
    replicas: i32,
    storage_size: String,
) -> StatefulSetParts {
    let inputs = inputs_digest(valid);
    let annotation = |key: &str| live.and_then(|s| s.annotations().get(key).cloned());
    let rendered_by = annotation(RENDER);
    let same_inputs = annotation(INPUTS).as_ref() == Some(&inputs);
    let (stamp, recorded) = (live.and_then(restarted_at), annotation(RESTARTED));
    // Of what an operator has written that recorded no stamps, none is new.
    let asked = stamp.is_some() && recorded.is_some() && stamp != recorded;
    let pinned = live
        .filter(|_| same_inputs && !asked)
        .zip(rendered_by.filter(|by| *by != render_mark(valid)));
    let (template, render) = match pinned {
        Some((live, by)) => (running(live, valid), by),
        None => (build_pod_template(valid, config_map), render_mark(valid)),
    };
    StatefulSetParts {
        replicas,
        storage_size,
        template,
        inputs,
        render,
        restarted: stamp.or(recorded).unwrap_or_default(),
    }
}

/// The live template without what others stamped into it: `kubectl rollout restart` writes an
/// annotation that we must not come to own.
fn running(live: &StatefulSet, valid: &Valid) -> PodTemplateSpec {
    let mut template = live
        .spec
        .as_ref()
        .map(|s| s.template.clone())
        .unwrap_or_default();
    let custom = valid.spec.pod_template.clone().unwrap_or_default();
    if let Some(meta) = &mut template.metadata {
        if let Some(annotations) = &mut meta.annotations {
            annotations.retain(|k, _| custom.annotations.contains_key(k));
        }
        meta.annotations = meta.annotations.take().filter(|a| !a.is_empty());
    }
    template
}

/// The ConfigMap that a template mounts.
pub fn mounted_config(template: &PodTemplateSpec) -> Option<String> {
    let volumes = template.spec.as_ref()?.volumes.as_ref()?;
    let sources = volumes
        .iter()
        .filter_map(|v| v.projected.as_ref()?.sources.as_ref());
    sources
        .flatten()
        .find_map(|s| s.config_map.as_ref().map(|c| c.name.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::build::tests::{sample, valid};
    use crate::cluster::build::{build_stateful_set, owner};
    use std::collections::BTreeMap;

    /// A set that another operator has rendered, restarted "now".
    fn live(render: &str, recorded: &str) -> StatefulSet {
        let cluster = sample();
        let valid = valid(&cluster);
        let mut parts = choose(&valid, None, "config-a", 3, "10Gi".to_owned());
        parts.render = render.to_owned();
        parts.restarted = recorded.to_owned();
        let mut set = build_stateful_set(&valid, &owner(&cluster), parts);
        let template = &mut set.spec.as_mut().expect("spec").template;
        let meta = template.metadata.as_mut().expect("metadata");
        let annotations = meta.annotations.get_or_insert_with(BTreeMap::new);
        annotations.insert(STAMP.to_owned(), "now".to_owned());
        set
    }

    fn chosen(valid: &Valid, live: &StatefulSet) -> StatefulSetParts {
        choose(valid, Some(live), "config-b", 3, "10Gi".to_owned())
    }

    #[test]
    fn a_newer_operator_keeps_the_template_that_runs() {
        let cluster = sample();
        let parts = chosen(&valid(&cluster), &live("0-older", "now"));
        assert_eq!(parts.render, "0-older");
        let mounted = mounted_config(&parts.template);
        assert_eq!(mounted.as_deref(), Some("config-a"));
        let meta = parts.template.metadata.expect("metadata");
        let keys: Vec<String> = meta.annotations.expect("ours").into_keys().collect();
        assert_eq!(keys, ["example.com/a"]);
    }

    #[test]
    fn a_users_change_takes_the_newest_template() {
        let mut cluster = sample();
        cluster.spec.image = Some("weir-broker:new".to_owned());
        let valid = valid(&cluster);
        let parts = chosen(&valid, &live("0-older", "now"));
        assert_eq!(parts.render, render_mark(&valid));
        let mounted = mounted_config(&parts.template);
        assert_eq!(mounted.as_deref(), Some("config-b"));
    }

    #[test]
    fn a_restart_takes_the_newest_template_once() {
        let cluster = sample();
        let valid = valid(&cluster);
        let parts = chosen(&valid, &live("0-older", "before"));
        assert_eq!(parts.render, render_mark(&valid));
        assert_eq!(parts.restarted, "now");
        let first = chosen(&valid, &live("0-older", ""));
        assert_eq!(first.render, render_mark(&valid), "the first restart");
    }

    #[test]
    fn a_stamp_from_before_stamps_were_recorded_asks_for_nothing() {
        let cluster = sample();
        let mut old = live("0-older", "");
        let annotations = old.metadata.annotations.as_mut().expect("ours");
        annotations.remove(RESTARTED);
        let parts = chosen(&valid(&cluster), &old);
        assert_eq!(
            (parts.render.as_str(), parts.restarted.as_str()),
            ("0-older", "now")
        );
    }
}
