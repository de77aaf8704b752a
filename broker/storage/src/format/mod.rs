//! Every kind of record that Weir itself writes to disk, one file a kind.
//!
//! Each begins with its kind and version; a version that this build does not know is an error
//! that names it, never a guess. The golden bytes in the tests are what older files look like.

pub(crate) mod clean;
pub(crate) mod epoch;
pub(crate) mod index;
pub(crate) mod kept;
pub(crate) mod mark;
pub(crate) mod meta;
pub(crate) mod snapshot;
pub(crate) mod start;

/// Kinds of records. Numbers are never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Meta = 1,
    Mark = 2,
    Epoch = 3,
    Snapshot = 4,
    Index = 5,
    Start = 6,
    Clean = 7,
    Kept = 8,
}

/// Kind, version, two bytes of zero, body length, CRC32C of the body.
pub(crate) const ENVELOPE_BYTES: usize = 12;

/// Puts a body into its envelope.
pub(crate) fn seal(kind: Kind, version: u8, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(ENVELOPE_BYTES + body.len());
    out.extend_from_slice(&[kind as u8, version, 0, 0]);
    out.extend_from_slice(&(body.len() as u32).to_be_bytes());
    out.extend_from_slice(&crc32c::crc32c(body).to_be_bytes());
    out.extend_from_slice(body);
    out
}

/// Takes a body out of its envelope.
pub(crate) fn unseal(kind: Kind, version: u8, bytes: &[u8]) -> Result<&[u8], String> {
    let Some((envelope, body)) = bytes.split_first_chunk::<ENVELOPE_BYTES>() else {
        return Err("file is too short".to_owned());
    };
    if envelope[0] != kind as u8 {
        return Err(format!(
            "record of kind {} where {} is due",
            envelope[0], kind as u8
        ));
    }
    if envelope[1] != version {
        return Err(format!(
            "{kind:?} of version {}, this build knows {version}",
            envelope[1]
        ));
    }
    let mut envelope = Cursor(&envelope[4..]);
    let (len, crc) = (envelope.u32(), envelope.u32());
    if len != Some(body.len() as u32) || crc != Some(crc32c::crc32c(body)) {
        return Err("wrong length or CRC".to_owned());
    }
    Ok(body)
}

/// Reads big-endian numbers off the front.
pub(crate) struct Cursor<'a>(pub &'a [u8]);

macro_rules! cursor_number {
    ($($name:ident),*) => {
        $(pub(crate) fn $name(&mut self) -> Option<$name> {
            let (head, rest) = self.0.split_first_chunk()?;
            self.0 = rest;
            Some($name::from_be_bytes(*head))
        })*
    };
}

impl<'a> Cursor<'a> {
    cursor_number!(u8, i16, i32, i64, u32, u64, u128);

    pub(crate) fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(head)
    }

    /// A length in 16 bits, then UTF-8.
    pub(crate) fn string(&mut self) -> Option<String> {
        let len = self.i16()?;
        let bytes = self.bytes(usize::try_from(len).ok()?)?;
        String::from_utf8(bytes.to_vec()).ok()
    }
}

#[cfg(test)]
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut out, byte| {
        write!(out, "{byte:02x}").expect("a string takes everything");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_kind_version_or_byte_is_refused() {
        let sealed = seal(Kind::Start, 1, b"body");
        assert_eq!(hex(&sealed), "0601000000000004263fc950626f6479");
        assert_eq!(unseal(Kind::Start, 1, &sealed), Ok(&b"body"[..]));
        assert!(unseal(Kind::Meta, 1, &sealed).is_err());
        assert!(unseal(Kind::Start, 2, &sealed).is_err());
        for at in 0..sealed.len() {
            let mut bent = sealed.clone();
            bent[at] ^= 1;
            // The two bytes of zero are not looked at.
            assert_eq!(
                unseal(Kind::Start, 1, &bent).is_err(),
                !(2..4).contains(&at),
                "{at}"
            );
        }
        assert!(unseal(Kind::Start, 1, &sealed[..sealed.len() - 1]).is_err());
    }
}
