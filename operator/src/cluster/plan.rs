//! Which broker is restarted next, and why none is: pure.

use std::fmt;

/// A pod as the planner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodFacts {
    pub uid: String,
    pub ready: bool,
    /// Its container runs. One that does not holds nothing that could be lost.
    pub running: bool,
    /// It has not the newest template.
    pub outdated: bool,
    pub terminating: bool,
}

/// What a broker says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokerAnswer {
    pub registered: bool,
    pub fenced: bool,
    pub out_of_sync: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerFacts {
    pub id: i32,
    pub pod: Option<PodFacts>,
    pub answer: Option<BrokerAnswer>,
}

/// The restart that was under way at the last look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollFacts {
    pub broker: i32,
    pub pod_uid: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// In order of id.
    pub brokers: Vec<BrokerFacts>,
    /// Broker that leads the metadata quorum.
    pub controller: Option<i32>,
    /// The first quorum was formed at some time.
    pub formed: bool,
    /// A broker speaks for the quorum now.
    pub quorum_answers: bool,
    /// The StatefulSet controller has seen the newest template.
    pub template_settled: bool,
    pub roll: Option<RollFacts>,
}

/// How a pod is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Ask the brokers, move leaders away, evict.
    Carefully,
    /// Delete: nothing runs in it, or there is no cluster yet.
    Plainly,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Idle,
    /// The broker is back and caught up: give it its leaders, then look again.
    Finish {
        broker: i32,
    },
    /// Nothing may be done now.
    Wait {
        broker: Option<i32>,
        why: String,
    },
    Replace {
        broker: i32,
        how: How,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Idle => write!(f, "idle"),
            Step::Finish { broker } => write!(f, "finish broker {broker}"),
            Step::Wait { broker: None, why } => write!(f, "wait: {why}"),
            Step::Wait {
                broker: Some(broker),
                why,
            } => write!(f, "wait for broker {broker}: {why}"),
            Step::Replace { broker, how } => match how {
                How::Carefully => write!(f, "replace broker {broker} carefully"),
                How::Plainly => write!(f, "replace broker {broker} plainly"),
            },
        }
    }
}

impl BrokerFacts {
    /// Why the broker does not serve in full; `None` if it does.
    pub fn ailment(&self) -> Option<String> {
        let Some(pod) = &self.pod else {
            return Some("it has no pod".to_owned());
        };
        if pod.terminating {
            return Some("its pod is being replaced".to_owned());
        }
        if !pod.running {
            return Some("its container does not run".to_owned());
        }
        match self.answer {
            None => Some("it does not answer".to_owned()),
            Some(a) if !a.registered => Some("it has not joined the cluster".to_owned()),
            Some(a) if a.fenced => Some("the quorum has fenced it".to_owned()),
            Some(a) if a.out_of_sync > 0 => {
                Some(format!("{} of its replicas are catching up", a.out_of_sync))
            }
            Some(_) if !pod.ready => Some("its pod is not ready".to_owned()),
            Some(_) => None,
        }
    }

    /// Whether it serves; its replicas may still be catching up.
    pub fn serves(&self) -> bool {
        let up = |p: &PodFacts| p.running && p.ready && !p.terminating;
        let joined = self.answer.is_some_and(|a| a.registered && !a.fenced);
        joined && self.pod.as_ref().is_some_and(up)
    }

    /// Whether it waits to be replaced.
    pub fn outdated(&self) -> bool {
        self.pod
            .as_ref()
            .is_some_and(|p| p.outdated && !p.terminating)
    }
}

/// The next step. One broker at a time; sick ones first, the controller last.
pub fn plan(facts: &Facts) -> Step {
    if let Some(step) = facts.roll.as_ref().and_then(|roll| resume(facts, roll)) {
        return step;
    }
    let outdated: Vec<&BrokerFacts> = facts.brokers.iter().filter(|b| b.outdated()).collect();
    if outdated.is_empty() {
        return Step::Idle;
    }
    if !facts.template_settled {
        return Step::Wait {
            broker: None,
            why: "the new template has not been taken up yet".to_owned(),
        };
    }
    let busy = |b: &&BrokerFacts| b.pod.as_ref().is_none_or(|p| p.terminating);
    if let Some(broker) = facts.brokers.iter().find(busy) {
        return wait(broker);
    }
    let sick = |b: &&&BrokerFacts| b.ailment().is_some();
    if let Some(broker) = outdated.iter().find(sick) {
        return replace(facts, broker);
    }
    let others = facts.brokers.iter().find(|b| b.ailment().is_some());
    if let Some(broker) = others {
        return wait(broker);
    }
    let is_controller = |b: &&&BrokerFacts| Some(b.id) != facts.controller;
    let next = outdated.iter().find(is_controller).or(outdated.first());
    next.map_or(Step::Idle, |broker| replace(facts, broker))
}

/// Goes on with the broker whose turn it was; `None` if its turn is over.
fn resume(facts: &Facts, roll: &RollFacts) -> Option<Step> {
    let broker = facts.brokers.iter().find(|b| b.id == roll.broker)?;
    let Some(pod) = broker.pod.as_ref().filter(|p| !p.terminating) else {
        return Some(wait(broker));
    };
    if pod.outdated {
        // Not replaced yet; or replaced, and outdated again by now.
        let sound = facts.template_settled && pod.uid == roll.pod_uid;
        return sound.then(|| replace(facts, broker));
    }
    match broker.ailment() {
        Some(_) => Some(wait(broker)),
        None => Some(Step::Finish { broker: broker.id }),
    }
}

fn wait(broker: &BrokerFacts) -> Step {
    Step::Wait {
        broker: Some(broker.id),
        why: broker.ailment().unwrap_or_default(),
    }
}

fn replace(facts: &Facts, broker: &BrokerFacts) -> Step {
    let stopped = broker.pod.as_ref().is_some_and(|p| !p.running);
    let how = if stopped || !facts.formed {
        How::Plainly
    } else {
        How::Carefully
    };
    if how == How::Carefully && !facts.quorum_answers {
        return Step::Wait {
            broker: Some(broker.id),
            why: "no broker speaks for the quorum".to_owned(),
        };
    }
    let ill = |b: &&BrokerFacts| b.id != broker.id && !b.outdated() && b.ailment().is_some();
    let other = facts.brokers.iter().find(ill);
    match other.filter(|_| how == How::Carefully) {
        Some(other) => wait(other),
        None => Step::Replace {
            broker: broker.id,
            how,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `R` ready, `O` ready and outdated, `F` fenced and outdated, `X` stopped and outdated,
    /// `C` catching up, `c` catching up and outdated, `-` no pod, `T` terminating, `U` silent.
    fn facts(states: &str) -> Facts {
        let broker = |(id, state): (usize, char)| {
            let pod = PodFacts {
                uid: format!("u{id}"),
                ready: matches!(state, 'R' | 'O' | 'C' | 'c'),
                running: state != 'X',
                outdated: matches!(state, 'O' | 'F' | 'X' | 'c'),
                terminating: state == 'T',
            };
            let answer = BrokerAnswer {
                registered: true,
                fenced: state == 'F',
                out_of_sync: u32::from(matches!(state, 'C' | 'c')) * 7,
            };
            BrokerFacts {
                id: i32::try_from(id).expect("small"),
                pod: (state != '-').then_some(pod),
                answer: (!matches!(state, 'X' | '-' | 'T' | 'U')).then_some(answer),
            }
        };
        Facts {
            brokers: states.chars().enumerate().map(broker).collect(),
            controller: Some(0),
            formed: true,
            quorum_answers: true,
            template_settled: true,
            roll: None,
        }
    }

    fn line(name: &str, facts: &Facts) -> String {
        format!("{name}: {}\n", plan(facts))
    }

    #[test]
    fn plans_as_text() {
        let mut text = String::new();
        let states = [
            "RRR", "OOO", "ORR", "RRO", "OFO", "OOX", "ORC", "OOc", "O-R", "OTR", "OUR", "XXX",
            "O", "OOOOO",
        ];
        for state in states {
            text += &line(state, &facts(state));
        }
        let rolling = |states: &str, broker: i32, pod_uid: &str| {
            let mut facts = facts(states);
            let pod_uid = pod_uid.to_owned();
            facts.roll = Some(RollFacts { broker, pod_uid });
            facts
        };
        text += &line("OOO, 1 chosen", &rolling("OOO", 1, "u1"));
        text += &line("OTO, 1 evicted", &rolling("OTO", 1, "u1"));
        text += &line("O-O, 1 gone", &rolling("O-O", 1, "u1"));
        text += &line("OUO, 1 starting", &rolling("OUO", 1, "old"));
        text += &line("OCO, 1 catching up", &rolling("OCO", 1, "old"));
        text += &line("ORO, 1 back", &rolling("ORO", 1, "old"));
        text += &line("RRR, 1 back", &rolling("RRR", 1, "old"));
        text += &line("OXO, 1 outdated again", &rolling("OXO", 1, "old"));
        let mut silent = facts("OOO");
        silent.quorum_answers = false;
        text += &line("OOO, no quorum", &silent);
        let mut silent = facts("XXX");
        silent.quorum_answers = false;
        text += &line("XXX, no quorum", &silent);
        let mut unformed = facts("OUO");
        unformed.formed = false;
        unformed.quorum_answers = false;
        text += &line("OUO, never formed", &unformed);
        let mut unsettled = facts("OOO");
        unsettled.template_settled = false;
        text += &line("OOO, template new", &unsettled);
        insta::assert_snapshot!("plans", text);
    }
}
