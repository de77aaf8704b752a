use super::{ApiKey, DecodeError, Reader, Writer};

/// What stands before every request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    /// Not necessarily of an API that Weir knows.
    pub api_key: i16,
    pub api_version: i16,
    pub correlation_id: i32,
    pub client_id: Option<String>,
}

/// The first eight bytes of any request, which every version has alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestPrefix {
    pub api_key: i16,
    pub api_version: i16,
    pub correlation_id: i32,
}

impl RequestPrefix {
    pub fn decode(r: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self {
            api_key: r.i16()?,
            api_version: r.i16()?,
            correlation_id: r.i32()?,
        })
    }
}

impl RequestHeader {
    /// What follows the prefix: header v1, or v2 in flexible versions. The client id never is a
    /// compact string.
    pub fn decode(prefix: RequestPrefix, key: ApiKey, r: &mut Reader) -> Result<Self, DecodeError> {
        let RequestPrefix {
            api_key,
            api_version,
            correlation_id,
        } = prefix;
        r.set_flexible(false);
        let client_id = r.nullable_string()?;
        r.set_flexible(is_flexible(key, api_version));
        r.tags(|_, _| Ok(()))?;
        Ok(Self {
            api_key,
            api_version,
            correlation_id,
            client_id,
        })
    }

    pub fn encode(&self, key: ApiKey, w: &mut Writer) {
        w.set_flexible(false);
        w.i16(self.api_key);
        w.i16(self.api_version);
        w.i32(self.correlation_id);
        w.nullable_string(true, self.client_id.as_deref());
        if is_flexible(key, self.api_version) {
            w.uvarint(0);
        }
    }
}

/// Header v0, or v1 in flexible versions; always v0 for ApiVersions (KIP-511).
pub fn encode_response_header(key: ApiKey, version: i16, correlation_id: i32, w: &mut Writer) {
    w.i32(correlation_id);
    if response_header_has_tags(key, version) {
        w.uvarint(0);
    }
}

/// Reads the header of a response to a request of `key` and `version`; answers its correlation id.
pub fn decode_response_header(
    key: ApiKey,
    version: i16,
    r: &mut Reader,
) -> Result<i32, DecodeError> {
    let correlation_id = r.i32()?;
    r.set_flexible(response_header_has_tags(key, version));
    r.tags(|_, _| Ok(()))?;
    Ok(correlation_id)
}

fn response_header_has_tags(key: ApiKey, version: i16) -> bool {
    key != ApiKey::ApiVersions && is_flexible(key, version)
}

fn is_flexible(key: ApiKey, version: i16) -> bool {
    key.flexible_from().is_some_and(|from| version >= from)
}
