//! The list of exceptions: lines `file PATH LINES` and `fn PATH::NAME LINES`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};

use crate::sizes::{Kind, Measured};

const LIST: &str = "tidy/ratchet.txt";
/// How far an exception may shrink before the list has to follow, so that a small edit of a long
/// file does not always touch the list too.
const SLACK_LINES: usize = 25;
const HEAD: &str = "\
# Longer than the limits and not split yet. Lines go down or away, never up:
# `cargo run -p weir-tidy -- --shrink` lowers them to what the tree needs.
";

type Key = (Kind, String);

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ratchet {
    allowed: BTreeMap<Key, usize>,
}

impl Ratchet {
    pub fn read(root: &Path) -> Result<Self> {
        let path = root.join(LIST);
        let text = std::fs::read_to_string(&path).with_context(|| format!("{LIST} is readable"))?;
        Self::parse(&text)
    }

    pub fn write(&self, root: &Path) -> Result<()> {
        let mut text = HEAD.to_owned();
        for ((kind, name), lines) in &self.allowed {
            text.push_str(&format!("{} {name} {lines}\n", kind.word()));
        }
        std::fs::write(root.join(LIST), text).with_context(|| format!("{LIST} is writable"))
    }

    fn parse(text: &str) -> Result<Self> {
        let mut allowed = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let mut words = line.split_whitespace();
            let (Some(kind), Some(name), Some(lines), None) =
                (words.next(), words.next(), words.next(), words.next())
            else {
                anyhow::bail!("{LIST}: not `file|fn NAME LINES`: {line}");
            };
            let kind = match kind {
                "file" => Kind::File,
                "fn" => Kind::Function,
                other => anyhow::bail!("{LIST}: unknown kind {other}"),
            };
            let lines = lines
                .parse()
                .with_context(|| format!("{LIST}: lines of {name}"))?;
            allowed.insert((kind, name.to_owned()), lines);
        }
        Ok(Self { allowed })
    }

    /// The exceptions that `measured` needs. Of functions with one name the longest counts.
    pub fn needed(measured: &[Measured]) -> Self {
        let mut allowed: BTreeMap<Key, usize> = BTreeMap::new();
        for one in measured.iter().filter(|one| one.lines > one.kind.usual()) {
            let lines = allowed.entry((one.kind, one.name.clone())).or_default();
            *lines = one.lines.max(*lines);
        }
        Self { allowed }
    }

    /// This list with every line lowered to `needed`, and without those no longer needed.
    pub fn lowered_to(&self, needed: &Self) -> Self {
        let lowered = self.allowed.iter().filter_map(|(key, allowed)| {
            let needed = needed.allowed.get(key)?;
            Some((key.clone(), *allowed.min(needed)))
        });
        Self {
            allowed: lowered.collect(),
        }
    }

    pub fn check(&self, measured: &[Measured]) -> Vec<String> {
        let needed = Self::needed(measured);
        let mut found = Vec::new();
        for (key, lines) in &needed.allowed {
            let (kind, name) = key;
            let limit = self.allowed.get(key).copied().unwrap_or(kind.usual());
            if *lines > limit {
                found.push(format!("{name}: {lines} lines, {limit} are allowed"));
            }
        }
        for (key, allowed) in &self.allowed {
            let lines = needed.allowed.get(key).copied().unwrap_or(0);
            if lines + SLACK_LINES < *allowed {
                found.push(format!(
                    "{LIST}: {} is shorter than its line says: `cargo run -p weir-tidy -- --shrink`",
                    key.1
                ));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(lines: usize) -> Measured {
        Measured {
            kind: Kind::Function,
            name: "a.rs::f".to_owned(),
            lines,
        }
    }

    fn list(text: &str) -> Ratchet {
        Ratchet::parse(text).expect("the list of the test parses")
    }

    #[test]
    fn a_listed_function_may_shrink_but_not_grow() {
        let ratchet = list("# head\nfn a.rs::f 100\n");
        assert!(ratchet.check(&[function(100)]).is_empty());
        assert!(ratchet.check(&[function(90)]).is_empty());
        assert_eq!(ratchet.check(&[function(101)]).len(), 1);
    }

    #[test]
    fn a_list_that_allows_too_much_is_found() {
        let ratchet = list("fn a.rs::f 100\n");
        assert_eq!(ratchet.check(&[function(74)]).len(), 1);
        assert_eq!(ratchet.check(&[]).len(), 1);
    }

    #[test]
    fn an_unlisted_function_has_the_usual_limit() {
        let ratchet = Ratchet::default();
        assert!(ratchet.check(&[function(70)]).is_empty());
        assert_eq!(ratchet.check(&[function(71)]).len(), 1);
    }

    #[test]
    fn shrinking_never_raises_and_never_adds() {
        let ratchet = list("fn a.rs::f 80\nfile gone.rs 400\n");
        let needed = list("fn a.rs::f 90\nfn a.rs::g 90\n");
        assert_eq!(ratchet.lowered_to(&needed), list("fn a.rs::f 80\n"));
    }
}
