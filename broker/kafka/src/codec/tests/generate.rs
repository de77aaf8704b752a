use bytes::Bytes;
use uuid::Uuid;

use crate::codec::{ErrorCode, Records};

/// A source of random field values, replayed by its seed.
pub(crate) struct Gen {
    state: u64,
    depth: u32,
}

impl Gen {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            state: seed,
            depth: 0,
        }
    }

    /// SplitMix64.
    pub(crate) fn u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.u64() % bound
    }

    pub(crate) fn bool(&mut self) -> bool {
        self.below(2) == 1
    }

    /// Of all magnitudes: small and edge values matter most.
    pub(crate) fn i64(&mut self) -> i64 {
        let shift = self.below(64);
        let value = (self.u64() >> shift) as i64;
        if self.bool() {
            value
        } else {
            value.wrapping_neg()
        }
    }

    pub(crate) fn i32(&mut self) -> i32 {
        self.i64() as i32
    }

    pub(crate) fn i16(&mut self) -> i16 {
        self.i64() as i16
    }

    pub(crate) fn i8(&mut self) -> i8 {
        self.i64() as i8
    }

    pub(crate) fn code(&mut self) -> ErrorCode {
        ErrorCode(self.i16())
    }

    pub(crate) fn uuid(&mut self) -> Uuid {
        Uuid::from_u64_pair(self.u64(), self.u64())
    }

    pub(crate) fn string(&mut self) -> String {
        let len = if self.below(20) == 0 {
            130
        } else {
            self.below(12)
        };
        let letters = ['a', 'Z', '0', '.', '-', 'é', '龍'];
        (0..len)
            .map(|_| letters[self.below(letters.len() as u64) as usize])
            .collect()
    }

    pub(crate) fn bytes(&mut self) -> Bytes {
        let len = if self.below(20) == 0 {
            300
        } else {
            self.below(20)
        };
        (0..len).map(|_| self.u64() as u8).collect()
    }

    pub(crate) fn records(&mut self) -> Records {
        let large = self.below(20) == 0;
        if large {
            Records::from(Bytes::from(vec![7; 5000]))
        } else {
            self.bytes().into()
        }
    }

    pub(crate) fn array<T>(&mut self, mut element: impl FnMut(&mut Self) -> T) -> Vec<T> {
        self.depth += 1;
        let bound = if self.depth > 2 { 3 } else { 4 };
        let len = if self.below(60) == 0 && self.depth > 1 {
            130
        } else {
            self.below(bound)
        };
        let out = (0..len).map(|_| element(self)).collect();
        self.depth -= 1;
        out
    }

    pub(crate) fn option<T>(
        &mut self,
        nullable: bool,
        value: impl FnOnce(&mut Self) -> T,
    ) -> Option<T> {
        if nullable && self.below(4) == 0 {
            None
        } else {
            Some(value(self))
        }
    }
}
