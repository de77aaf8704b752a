//! What happened, as a hash always and as lines when somebody reads along.

/// Two runs of one seed have the same trace.
#[derive(Clone, Debug)]
pub struct Trace {
    hash: u64,
    verbose: bool,
}

impl Trace {
    pub fn new(verbose: bool) -> Self {
        Self {
            hash: 0xcbf2_9ce4_8422_2325,
            verbose,
        }
    }

    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Mixes numbers into the hash (FNV-1a over words).
    pub fn note(&mut self, words: &[i64]) {
        for word in words {
            self.hash = (self.hash ^ word.cast_unsigned()).wrapping_mul(0x0100_0000_01b3);
            self.hash ^= self.hash >> 29;
        }
    }

    pub fn line(&self, now_us: u64, line: impl FnOnce() -> String) {
        if self.verbose {
            println!("{:>12.3} ms  {}", now_us as f64 / 1000.0, line());
        }
    }
}
