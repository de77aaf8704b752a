//! Conditions: made in one place, so that transition times move only when a status does.

use weir_crds::{Condition, ConditionStatus};

/// Longest message, in bytes; the schema bounds it too.
const MESSAGE_BYTES_MAX: usize = 1024;

/// What a condition says, without when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saying {
    pub type_: &'static str,
    pub status: ConditionStatus,
    pub reason: String,
    pub message: String,
}

impl Saying {
    pub fn new(
        type_: &'static str,
        status: ConditionStatus,
        reason: &str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            type_,
            status,
            reason: reason.to_owned(),
            message: shortened(message.into()),
        }
    }
}

/// Whether the resource is done, at work, or cannot go on, in kstatus's three conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Ready {
        message: String,
    },
    /// Not there yet; goes on by itself.
    Working {
        reason: String,
        message: String,
    },
    /// Serves, and something about it waits for a person or for the world.
    ReadyBut {
        reason: String,
        message: String,
    },
    /// Cannot go on until a person changes something.
    Stalled {
        reason: String,
        message: String,
    },
}

impl Verdict {
    pub fn working(reason: &str, message: impl Into<String>) -> Self {
        Verdict::Working {
            reason: reason.to_owned(),
            message: message.into(),
        }
    }

    pub fn stalled(reason: &str, message: impl Into<String>) -> Self {
        Verdict::Stalled {
            reason: reason.to_owned(),
            message: message.into(),
        }
    }

    /// The same said of a resource about which `serving` holds: one that does not serve is not
    /// ready, whatever else is under way. That a single broker restarts does not count.
    #[must_use]
    pub fn given(self, serving: &Verdict) -> Self {
        let down = match serving {
            Verdict::Working { reason, .. } => reason != "BrokersNotReady",
            Verdict::Stalled { .. } => true,
            Verdict::Ready { .. } | Verdict::ReadyBut { .. } => false,
        };
        match self {
            Verdict::ReadyBut { reason, message } if down => {
                let message = format!("{message}; {}", serving.message());
                Verdict::Working { reason, message }
            }
            said => said,
        }
    }

    pub fn reason(&self) -> &str {
        match self {
            Verdict::Ready { .. } => "Ready",
            Verdict::Working { reason, .. }
            | Verdict::ReadyBut { reason, .. }
            | Verdict::Stalled { reason, .. } => reason,
        }
    }

    pub fn message(&self) -> &str {
        match self {
            Verdict::Ready { message }
            | Verdict::Working { message, .. }
            | Verdict::ReadyBut { message, .. }
            | Verdict::Stalled { message, .. } => message,
        }
    }

    /// The three conditions. `Stalled` and `Reconciling` are always there, so that a server-side
    /// apply of the list never has to take one away.
    pub fn sayings(&self) -> Vec<Saying> {
        use ConditionStatus::{False, True};
        let say = |type_, status, reason: &str, message: &str| {
            Saying::new(type_, status, reason, message)
        };
        let (ready, working, stalled) = match self {
            Verdict::Ready { .. } => (True, False, False),
            Verdict::ReadyBut { .. } => (True, True, False),
            Verdict::Working { .. } => (False, True, False),
            Verdict::Stalled { .. } => (False, False, True),
        };
        let ready_reason = match self {
            Verdict::Ready { .. } | Verdict::ReadyBut { .. } => "Ready",
            _ => self.reason(),
        };
        let if_true = |status| match status {
            True => (self.reason(), self.message()),
            _ => ("No", ""),
        };
        let (working_reason, working_message) = if_true(working);
        let (stalled_reason, stalled_message) = if_true(stalled);
        vec![
            say("Ready", ready, ready_reason, self.message()),
            say("Reconciling", working, working_reason, working_message),
            say("Stalled", stalled, stalled_reason, stalled_message),
        ]
    }
}

/// The conditions as they are to be stored: what was said before keeps its time unless its
/// status changed.
pub fn settle(
    before: &[Condition],
    sayings: &[Saying],
    generation: Option<i64>,
    now: &str,
) -> Vec<Condition> {
    let at = |saying: &Saying| {
        before
            .iter()
            .find(|c| c.type_ == saying.type_ && c.status == saying.status)
            .map_or_else(|| now.to_owned(), |c| c.last_transition_time.clone())
    };
    sayings
        .iter()
        .map(|saying| Condition {
            type_: saying.type_.to_owned(),
            status: saying.status,
            reason: saying.reason.clone(),
            message: saying.message.clone(),
            last_transition_time: at(saying),
            observed_generation: generation,
        })
        .collect()
}

fn shortened(mut message: String) -> String {
    if message.len() > MESSAGE_BYTES_MAX {
        let cut = (0..=MESSAGE_BYTES_MAX)
            .rev()
            .find(|at| message.is_char_boundary(*at))
            .unwrap_or(0);
        message.truncate(cut);
        message.push('…');
    }
    message
}

/// This moment as conditions and statuses write it.
pub fn now() -> String {
    let now = jiff::Timestamp::now();
    now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Seconds since a moment of a status; none if it cannot be read.
pub fn seconds_since(moment: &str) -> i64 {
    let Ok(then) = moment.parse::<jiff::Timestamp>() else {
        return 0;
    };
    jiff::Timestamp::now().as_second() - then.as_second()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_changed_status_moves_the_time() {
        let working = Verdict::working("Starting", "one of three is up");
        let first = settle(&[], &working.sayings(), Some(1), "t1");
        let still = Verdict::working("Starting", "two of three are up");
        let second = settle(&first, &still.sayings(), Some(1), "t2");
        assert!(second.iter().all(|c| c.last_transition_time == "t1"));
        assert_eq!(second[0].message, "two of three are up");
        let ready = Verdict::Ready {
            message: "three are up".to_owned(),
        };
        let third = settle(&second, &ready.sayings(), Some(1), "t3");
        let times: Vec<&str> = third
            .iter()
            .map(|c| c.last_transition_time.as_str())
            .collect();
        assert_eq!(times, ["t3", "t3", "t1"]);
    }

    #[test]
    fn only_stalled_says_failed() {
        let verdict = Verdict::stalled("Invalid", "no");
        let sayings = verdict.sayings();
        assert_eq!(sayings[2].status, ConditionStatus::True);
        assert_eq!(sayings[0].status, ConditionStatus::False);
        let long = Saying::new("Ready", ConditionStatus::True, "x", "é".repeat(4000));
        assert!(long.message.len() <= MESSAGE_BYTES_MAX + 4);
    }
}
