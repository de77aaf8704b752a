//! Whether a config may have a value.

use super::config_defs::{ConfigDef, ConfigKind};

impl ConfigDef {
    /// Whether brokers may differ in it. All others are decided for the whole cluster, or by
    /// whoever leads or coordinates just now: one broker's value would come and go with that.
    pub fn is_per_broker(&self) -> bool {
        matches!(
            self.name,
            "follower.replication.throttled.rate" | "leader.replication.throttled.rate"
        )
    }

    /// Whether the config may have this value; the error says why not.
    ///
    /// # Errors
    /// A sentence for the person who set it.
    pub fn check(&self, value: &str, internal: bool) -> Result<(), String> {
        let refuse = |why: String| Err(format!("{} = {value:?}: {why}", self.name));
        match self.kind {
            ConfigKind::Boolean if !matches!(value, "true" | "false") => {
                return refuse("must be true or false".to_owned());
            }
            ConfigKind::Int { min, max } | ConfigKind::Long { min, max } => {
                match value.parse::<i64>() {
                    Err(_) => return refuse("must be a whole number".to_owned()),
                    Ok(n) if n < min || n > max => {
                        return refuse(format!("must be within {min} to {max}"));
                    }
                    Ok(_) => {}
                }
            }
            ConfigKind::Choice(values) if !values.contains(&value) => {
                return refuse(format!("must be one of {}", values.join(", ")));
            }
            ConfigKind::List(values) => {
                let mut items = value
                    .split(',')
                    .map(str::trim)
                    .filter(|i| !i.is_empty())
                    .peekable();
                if items.peek().is_none() || items.any(|i| !values.contains(&i)) {
                    return refuse(format!("must be a list of {}", values.join(", ")));
                }
            }
            ConfigKind::Replicas if !are_replicas(value) => {
                return refuse("must be * or a list of partition:broker".to_owned());
            }
            _ => {}
        }
        let reserved = |item: &str| self.internal_only.contains(&item.trim());
        if !internal && value.split(',').any(reserved) {
            return refuse("is not available for your own topics yet".to_owned());
        }
        Ok(())
    }
}

fn are_replicas(value: &str) -> bool {
    let is_number = |text: &str| text.parse::<u32>().is_ok();
    let is_replica = |item: &str| {
        item.trim()
            .split_once(':')
            .is_some_and(|(partition, broker)| is_number(partition) && is_number(broker))
    };
    matches!(value.trim(), "" | "*") || value.split(',').all(is_replica)
}
