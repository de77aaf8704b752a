/// Reasons that one problem lists.
const REASONS_MAX: usize = 3;

/// The first few reasons, and how many more there were.
#[derive(Default)]
pub(super) struct Reasons {
    first: Vec<String>,
    more: usize,
}

impl Reasons {
    pub fn add(&mut self, why: impl FnOnce() -> String) {
        if self.first.len() < REASONS_MAX {
            self.first.push(why());
        } else {
            self.more += 1;
        }
    }

    pub fn told(mut self) -> Option<String> {
        if self.more > 0 {
            self.first.push(format!("and {} more", self.more));
        }
        (!self.first.is_empty()).then(|| self.first.join("; "))
    }
}
