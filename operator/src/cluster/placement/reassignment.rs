use std::fmt;

use weir_proto::admin as pb;

/// A partition's way from its replicas to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reassignment {
    pub topic: String,
    pub index: i32,
    pub from: Vec<i32>,
    pub to: Vec<i32>,
    /// To be copied over the network, all new replicas together.
    pub bytes: u64,
}

impl Reassignment {
    pub fn request(&self) -> pb::Reassignment {
        pb::Reassignment {
            topic: self.topic.clone(),
            index: self.index,
            replicas: self.to.clone(),
            cancel: false,
        }
    }
}

impl fmt::Display for Reassignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |ids: &[i32]| {
            let ids: Vec<String> = ids.iter().map(i32::to_string).collect();
            ids.join(",")
        };
        let (from, to) = (list(&self.from), list(&self.to));
        let size = sized(self.bytes);
        write!(f, "{}-{}: {from} to {to} ({size})", self.topic, self.index)
    }
}

/// Bytes for people, in two or three digits: what is said of a quiet cluster must not change
/// with every record.
pub fn sized(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut size = bytes;
    let mut rest = 0;
    let mut unit = 0;
    while size >= 1024 && unit + 1 < units.len() {
        rest = size % 1024;
        size /= 1024;
        unit += 1;
    }
    match size {
        0..=9 if unit > 0 => format!("{size}.{} {}", rest * 10 / 1024, units[unit]),
        _ => format!("{size} {}", units[unit]),
    }
}
