//! Consumer scalers: what was decided, and why.

use anyhow::{Result, bail};
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};
use weir_crds::{ConditionStatus, ConsumerScaler, ScalerInputs};

use crate::args::{Format, ScalerCommand, Target};
use crate::forward;
use crate::output::{or_dash, print_json, print_table, table};

/// Resources of one page.
const PAGE: u32 = 500;

pub async fn run(target: &Target, command: Option<&ScalerCommand>, format: Format) -> Result<()> {
    let (client, namespace) = forward::client(target).await?;
    let scalers: Api<ConsumerScaler> = Api::namespaced(client, &namespace);
    match command {
        None | Some(ScalerCommand::List) => list(&scalers, format).await,
        Some(ScalerCommand::Explain { name }) => match scalers.get_opt(name).await? {
            Some(scaler) if format == Format::Json => print_json(&as_json(&scaler)),
            Some(scaler) => {
                explain(&scaler);
                Ok(())
            }
            None => bail!("there is no ConsumerScaler {namespace}/{name}"),
        },
    }
}

async fn list(scalers: &Api<ConsumerScaler>, format: Format) -> Result<()> {
    let mut found = Vec::new();
    let mut params = ListParams::default().limit(PAGE);
    loop {
        let page = scalers.list(&params).await?;
        let next = page.metadata.continue_.clone().filter(|c| !c.is_empty());
        found.extend(page.items);
        match next {
            Some(token) => params = params.continue_token(&token),
            None => break,
        }
    }
    if format == Format::Json {
        return print_json(&found.iter().map(as_json).collect::<Vec<_>>());
    }
    let header = [
        "NAME", "TARGET", "GROUP", "BACKLOG", "PODS", "WANTED", "REASON",
    ];
    let mut rows = table(&header);
    for scaler in &found {
        let status = scaler.status.clone().unwrap_or_default();
        rows.add_row([
            scaler.name_any(),
            format!(
                "{}/{}",
                scaler.spec.target_ref.kind, scaler.spec.target_ref.name
            ),
            group(scaler),
            or_dash(status.backlog),
            or_dash(status.current_replicas),
            or_dash(status.desired_replicas),
            or_dash(status.reason),
        ]);
    }
    print_table(&rows);
    Ok(())
}

fn group(scaler: &ConsumerScaler) -> String {
    or_dash(scaler.spec.source.kafka.as_ref().map(|k| k.group.clone()))
}

fn explain(scaler: &ConsumerScaler) {
    for line in lines(scaler) {
        println!("{line}");
    }
    let decision = scaler.status.as_ref().and_then(|s| s.decision.as_ref());
    if let Some(decision) = decision {
        println!();
        let mut rows = table(&["FIGURE", "VALUE", "MEANING"]);
        for (name, value, meaning) in figures(&decision.inputs) {
            rows.add_row([name, &value, meaning]);
        }
        print_table(&rows);
    }
}

/// The state of things in sentences.
fn lines(scaler: &ConsumerScaler) -> Vec<String> {
    let spec = &scaler.spec;
    let (namespace, cluster) = scaler.cluster_key();
    let target = &spec.target_ref;
    let mut lines = vec![format!(
        "{} keeps {} {} between {} and {} replicas, so that group {} on {namespace}/{cluster} has consumed any backlog within {}.",
        scaler.name_any(),
        target.kind,
        target.name,
        spec.min_replicas,
        spec.max_replicas,
        group(scaler),
        spec.drain_within,
    )];
    let Some(status) = &scaler.status else {
        lines.push("No operator has looked at it yet.".to_owned());
        return lines;
    };
    for condition in &status.conditions {
        let waits = matches!(condition.type_.as_str(), "Stalled" | "Reconciling")
            && condition.status == ConditionStatus::True;
        let unseen = condition.type_ == "Ready" && condition.status == ConditionStatus::Unknown;
        if waits || unseen {
            lines.push(format!(
                "{} since {}: {}",
                condition.reason, condition.last_transition_time, condition.message
            ));
        }
    }
    if let Some(decision) = &status.decision {
        let step = match decision.from == decision.to {
            true => format!("stays at {}", decision.to),
            false => format!("goes from {} to {}", decision.from, decision.to),
        };
        lines.push(format!(
            "As of {} it {step} ({}): {}",
            decision.at, decision.reason, decision.message
        ));
    }
    if let Some(at) = &status.last_scale_time {
        lines.push(format!("Last scaled at {at}."));
    }
    lines
}

/// Name, value with its unit, what it means.
type Figure = (&'static str, String, &'static str);

/// The figures in the order in which they follow from each other.
fn figures(inputs: &ScalerInputs) -> Vec<Figure> {
    let records = |n: i64| format!("{n} records");
    let rate = |milli: i64| format!("{}.{:03} a second", milli / 1000, milli % 1000);
    let learnt = if inputs.rate_measured {
        "what one pod can do, as measured"
    } else {
        "what one pod can do: initialRatePerPod, nothing measured yet"
    };
    let deadline = inputs.deadline_left_ms.map_or_else(|| "-".to_owned(), time);
    let mut figures = vec![
        (
            "backlog",
            records(inputs.backlog),
            "produced and not yet committed",
        ),
        (
            "excess",
            records(inputs.excess),
            "of these, more than arrives between two commits",
        ),
        (
            "arrivals",
            rate(inputs.arrival_rate_milli),
            "records that come in",
        ),
        (
            "commits",
            rate(inputs.commit_rate_milli),
            "records that the group gets done",
        ),
        ("rate per pod", rate(inputs.rate_per_pod_milli), learnt),
        (
            "busiest pod",
            rate(inputs.busiest_load_milli),
            "what it would have to do to be done in time",
        ),
        ("deadline", deadline, "until the backlog is to be gone"),
        (
            "window",
            time(inputs.window_ms),
            "the time by which the backlog was divided",
        ),
    ];
    figures.extend(of_pods(inputs));
    figures
}

fn time(ms: i64) -> String {
    format!("{}.{:03} s", ms / 1000, ms % 1000)
}

/// Those about pods and their number.
fn of_pods(inputs: &ScalerInputs) -> Vec<Figure> {
    vec![
        (
            "needed",
            inputs.needed.to_string(),
            "replicas that the figures ask for",
        ),
        ("cap", inputs.cap.to_string(), "most replicas that can help"),
        (
            "partitions",
            inputs.partitions_with_work.to_string(),
            "those that have work",
        ),
        ("members", inputs.members.to_string(), "of the group"),
        ("ready pods", inputs.ready_pods.to_string(), "of the target"),
        (
            "start-up",
            time(inputs.start_up_ms),
            "from a pod's creation until it has partitions",
        ),
        (
            "commit interval",
            time(inputs.commit_interval_ms),
            "between two commits",
        ),
        (
            "rebalance cost",
            time(inputs.rebalance_cost_pod_ms),
            "pod time that one change of the replicas takes",
        ),
    ]
}

fn as_json(scaler: &ConsumerScaler) -> Value {
    let status = scaler.status.clone().unwrap_or_default();
    json!({
        "name": scaler.name_any(),
        "namespace": scaler.namespace(),
        "spec": scaler.spec,
        "conditions": status.conditions,
        "currentReplicas": status.current_replicas,
        "desiredReplicas": status.desired_replicas,
        "backlog": status.backlog,
        "reason": status.reason,
        "decision": status.decision,
        "lastScaleTime": status.last_scale_time,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaler(status: Value) -> ConsumerScaler {
        let resource = json!({
            "apiVersion": "weir.dev/v1alpha1",
            "kind": "ConsumerScaler",
            "metadata": {"name": "billing", "namespace": "shop"},
            "spec": {
                "clusterRef": {"name": "demo", "namespace": "mq"},
                "source": {"kafka": {"group": "g"}},
                "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "b"},
                "minReplicas": 0, "maxReplicas": 12, "drainWithin": "60s",
            },
            "status": status,
        });
        serde_json::from_value(resource).expect("a scaler")
    }

    #[test]
    fn a_decision_is_told_in_sentences() {
        let decided = json!({
            "conditions": [{
                "type": "Reconciling", "status": "True", "reason": "OtherScaler",
                "message": "HorizontalPodAutoscaler b has the same target",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }],
            "decision": {
                "reason": "ScaleUp", "message": "9000 records behind.",
                "at": "2026-01-01T00:00:01Z", "from": 2, "to": 5,
            },
            "lastScaleTime": "2026-01-01T00:00:01Z",
        });
        assert_eq!(
            lines(&scaler(decided)),
            [
                "billing keeps Deployment b between 0 and 12 replicas, so that group g on mq/demo has consumed any backlog within 60s.",
                "OtherScaler since 2026-01-01T00:00:00Z: HorizontalPodAutoscaler b has the same target",
                "As of 2026-01-01T00:00:01Z it goes from 2 to 5 (ScaleUp): 9000 records behind.",
                "Last scaled at 2026-01-01T00:00:01Z.",
            ]
        );
    }

    #[test]
    fn figures_have_units() {
        let inputs = ScalerInputs {
            backlog: 5,
            arrival_rate_milli: 12_345,
            start_up_ms: 2_050,
            ..ScalerInputs::default()
        };
        let all = figures(&inputs);
        let value = |name: &str| all.iter().find(|f| f.0 == name).map(|f| f.1.as_str());
        assert_eq!(value("backlog"), Some("5 records"));
        assert_eq!(value("arrivals"), Some("12.345 a second"));
        assert_eq!(value("start-up"), Some("2.050 s"));
        assert_eq!(value("deadline"), Some("-"));
    }
}
