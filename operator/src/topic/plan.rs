//! What is to be done about a topic: pure.

use kube::ResourceExt;
use weir_crds::{Adopt, Difference, Topic};
use weir_proto::admin as pb;

use super::observe::Holder;
use crate::admin::{NewTopic, TopicChange, settings_of};
use crate::kafka_config::{Settings, difference, topic_settings};

/// Differences that are listed; a resource can name fewer settings than that.
const DIFFERENCES_MAX: usize = 32;
/// Longest value that is listed whole.
const VALUE_CHARS_MAX: usize = 128;

/// What a resource asks for, in the brokers' words.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    pub name: String,
    pub partitions: Option<i32>,
    pub replication_factor: Option<i32>,
    pub config: Settings,
    pub adopt: Adopt,
    pub owner: pb::TopicOwner,
}

impl Wanted {
    /// # Errors
    /// Why the config makes no sense.
    pub fn new(topic: &Topic) -> Result<Self, String> {
        let spec = &topic.spec;
        Ok(Self {
            name: topic.topic_name().to_owned(),
            partitions: spec.partitions,
            replication_factor: spec.replication_factor,
            config: topic_settings(&spec.config).map_err(|e| format!("spec.config: {e}"))?,
            adopt: spec.adopt,
            owner: pb::TopicOwner {
                uid: topic.uid().unwrap_or_default(),
                namespace: topic.namespace().unwrap_or_default(),
                name: topic.name_any(),
            },
        })
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    InSync,
    Create(NewTopic),
    /// The change, and what it makes different.
    Alter(TopicChange, Vec<Difference>),
    /// Nobody owns the topic, and adopting it would change this.
    Preview(Vec<Difference>),
    /// A person has to decide.
    Refuse {
        reason: &'static str,
        message: String,
    },
}

/// What to do about the topic. Only configs that are ours count: those the resource names, and
/// those it named before.
pub fn decide(
    wanted: &Wanted,
    live: Option<&pb::Topic>,
    holder: &Holder,
    ours_before: &[String],
) -> Decision {
    let Some(live) = live else {
        return Decision::Create(NewTopic {
            name: wanted.name.clone(),
            partitions: wanted.partitions,
            replication_factor: wanted.replication_factor,
            config: wanted.config.clone(),
            owner: wanted.owner.clone(),
        });
    };
    if let Holder::Other(other) = holder {
        let message = format!("topic {} belongs to Topic {other}", wanted.name);
        return refuse("Conflict", message);
    }
    if let Some(refusal) = impossible(wanted, live) {
        return refusal;
    }
    let before = if holder.is_me() { ours_before } else { &[] };
    let (set, remove) = difference(&wanted.config, &settings_of(live), before);
    let grown = wanted
        .partitions
        .filter(|n| usize::try_from(*n).is_ok_and(|n| n > live.partitions.len()));
    let change = TopicChange {
        partitions: grown,
        set,
        remove,
        owner: (*holder != Holder::Me).then(|| wanted.owner.clone()),
    };
    let differences = differences(live, &change);
    if *holder == Holder::Nobody && wanted.adopt == Adopt::Preview && !differences.is_empty() {
        return Decision::Preview(differences);
    }
    if differences.is_empty() && change.owner.is_none() {
        return Decision::InSync;
    }
    Decision::Alter(change, differences)
}

fn refuse(reason: &'static str, message: String) -> Decision {
    Decision::Refuse { reason, message }
}

/// What no change of the topic can bring about.
fn impossible(wanted: &Wanted, live: &pb::Topic) -> Option<Decision> {
    if live.internal {
        let message = format!("topic {} is internal", wanted.name);
        return Some(refuse("Conflict", message));
    }
    let count = live.partitions.len();
    if let Some(partitions) = wanted.partitions
        && usize::try_from(partitions).is_ok_and(|n| n < count)
    {
        let message = format!("the topic has {count} partitions and cannot shrink to {partitions}");
        return Some(refuse("PartitionsMismatch", message));
    }
    let factor = live.partitions.first().map(|p| p.replicas.len());
    if let (Some(wanted), Some(live)) = (wanted.replication_factor, factor)
        && usize::try_from(wanted).ok() != Some(live)
    {
        let message = format!(
            "the topic has {live} replicas, not {wanted}; changing that is not possible yet"
        );
        return Some(refuse("ReplicationFactorMismatch", message));
    }
    None
}

/// What a change makes different, in order. Bounded by the configs that a resource can name.
fn differences(live: &pb::Topic, change: &TopicChange) -> Vec<Difference> {
    let config = settings_of(live);
    let count = live.partitions.len();
    let one = |field: &str, now: Option<String>, wanted: Option<String>| Difference {
        field: field.to_owned(),
        now: now.map(shortened),
        wanted: wanted.map(shortened),
    };
    let grown = change.partitions.iter().map(|n| {
        let (now, wanted) = (count.to_string(), n.to_string());
        one("partitions", Some(now), Some(wanted))
    });
    let set = change.set.iter().map(|(name, value)| {
        let now = config.get(name).cloned();
        one(name, now, Some(value.clone()))
    });
    let removed = change.remove.iter().map(|name| {
        let now = config.get(name).cloned();
        one(name, now, None)
    });
    let all = grown.chain(set).chain(removed);
    all.take(DIFFERENCES_MAX).collect()
}

fn shortened(text: String) -> String {
    text.chars().take(VALUE_CHARS_MAX).collect()
}

/// Differences as a person reads them.
pub fn told(differences: &[Difference]) -> String {
    let unset = || "unset".to_owned();
    let one = |d: &Difference| {
        let now = d.now.clone().unwrap_or_else(unset);
        let wanted = d.wanted.clone().unwrap_or_else(unset);
        format!("{} {now} to {wanted}", d.field)
    };
    let all: Vec<String> = differences.iter().map(one).collect();
    all.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Wanted {
        Wanted {
            name: "orders".to_owned(),
            partitions: Some(2),
            replication_factor: Some(3),
            config: Settings::from([("retention.ms".to_owned(), "1000".to_owned())]),
            adopt: Adopt::Preview,
            owner: pb::TopicOwner {
                uid: "u".to_owned(),
                namespace: "shop".to_owned(),
                name: "orders".to_owned(),
            },
        }
    }

    fn live(partitions: usize, config: &[(&str, &str)]) -> pb::Topic {
        let partition = pb::Partition {
            replicas: vec![0, 1, 2],
            ..pb::Partition::default()
        };
        let pair = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
        pb::Topic {
            name: "orders".to_owned(),
            partitions: vec![partition; partitions],
            config: config.iter().map(pair).collect(),
            ..pb::Topic::default()
        }
    }

    fn reason(decision: &Decision) -> &'static str {
        match decision {
            Decision::Refuse { reason, .. } => reason,
            Decision::Preview(_) => "preview",
            _ => "none",
        }
    }

    #[test]
    fn a_missing_topic_is_created_with_its_owner() {
        let decision = decide(&wanted(), None, &Holder::Nobody, &[]);
        let Decision::Create(new) = decision else {
            panic!("{decision:?}");
        };
        assert_eq!(new.owner, wanted().owner);
        assert_eq!(new.partitions, Some(2));
    }

    #[test]
    fn drift_in_what_is_ours_is_repaired_and_the_rest_left_alone() {
        let topic = live(2, &[("retention.ms", "5"), ("theirs", "1"), ("old", "2")]);
        let before = ["retention.ms".to_owned(), "old".to_owned()];
        let decision = decide(&wanted(), Some(&topic), &Holder::Me, &before);
        let change = TopicChange {
            set: wanted().config,
            remove: vec!["old".to_owned()],
            ..TopicChange::default()
        };
        let Decision::Alter(altered, differences) = decision else {
            panic!("{decision:?}");
        };
        assert_eq!(altered, change);
        assert_eq!(told(&differences), "retention.ms 5 to 1000, old 2 to unset");
        let topic = live(2, &[("retention.ms", "1000"), ("theirs", "1")]);
        let decision = decide(&wanted(), Some(&topic), &Holder::Me, &before);
        assert_eq!(decision, Decision::InSync);
    }

    #[test]
    fn a_topic_of_nobody_is_adopted_if_nothing_changes_or_if_asked() {
        let topic = live(1, &[]);
        let preview = decide(&wanted(), Some(&topic), &Holder::Nobody, &[]);
        let Decision::Preview(differences) = preview else {
            panic!("{preview:?}");
        };
        assert_eq!(
            told(&differences),
            "partitions 1 to 2, retention.ms unset to 1000"
        );
        let mut overwrite = wanted();
        overwrite.adopt = Adopt::Overwrite;
        let decision = decide(&overwrite, Some(&topic), &Holder::Nobody, &[]);
        let Decision::Alter(change, _) = decision else {
            panic!("{decision:?}");
        };
        assert_eq!(change.partitions, Some(2));
        assert!(change.owner.is_some());
        let same = live(2, &[("retention.ms", "1000")]);
        let decision = decide(&wanted(), Some(&same), &Holder::Nobody, &[]);
        assert!(matches!(decision, Decision::Alter(c, _) if c.owner.is_some() && c.set.is_empty()));
    }

    #[test]
    fn what_cannot_be_is_said() {
        let other = Holder::Other("shop/first".to_owned());
        let topic = live(2, &[]);
        let decision = decide(&wanted(), Some(&topic), &other, &[]);
        assert_eq!(reason(&decision), "Conflict");
        let decision = decide(&wanted(), Some(&live(5, &[])), &Holder::Me, &[]);
        assert_eq!(reason(&decision), "PartitionsMismatch");
        let mut two = wanted();
        two.replication_factor = Some(2);
        let decision = decide(&two, Some(&topic), &Holder::Me, &[]);
        assert_eq!(reason(&decision), "ReplicationFactorMismatch");
    }

    #[test]
    fn a_restored_resource_takes_its_topic_again() {
        let topic = live(2, &[("retention.ms", "1000")]);
        let decision = decide(&wanted(), Some(&topic), &Holder::FormerMe, &[]);
        assert!(matches!(decision, Decision::Alter(c, _) if c.owner.is_some()));
    }
}
