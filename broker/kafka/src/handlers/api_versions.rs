use weir_api::Caller;

use crate::{
    codec::{
        ApiKey, Encoded, ErrorCode, Message, Writer, encode_response_header,
        messages::api_versions::{Request, Response, ServedApi},
    },
    context::Context,
};

/// Produce is advertised from here although v0 to v2 are refused: librdkafka otherwise thinks
/// that the broker knows no compression (KAFKA-18659).
const PRODUCE_ADVERTISED_MIN: i16 = 0;

pub(super) async fn handle(_: &Context, _: &Caller, version: i16, request: Request) -> Response {
    let named =
        is_software_name(&request.software_name) && is_software_name(&request.software_version);
    if version >= 3 && !named {
        return Response {
            error: ErrorCode::INVALID_REQUEST,
            ..Response::default()
        };
    }
    Response {
        api_keys: ApiKey::ALL.map(served).to_vec(),
        ..Response::default()
    }
}

/// The answer to a version that is not served: in version 0, which every client can read, and
/// with what is served of ApiVersions itself, so that the client can ask again (KIP-511).
pub(crate) fn refuse_version(correlation_id: i32) -> Encoded {
    let response = Response {
        error: ErrorCode::UNSUPPORTED_VERSION,
        api_keys: vec![served(ApiKey::ApiVersions)],
        ..Response::default()
    };
    let mut w = Writer::new();
    encode_response_header(ApiKey::ApiVersions, 0, correlation_id, &mut w);
    response.encode(0, &mut w);
    w.finish()
}

fn served(key: ApiKey) -> ServedApi {
    let (min, max_version) = key.versions();
    let min_version = if key == ApiKey::Produce {
        PRODUCE_ADVERTISED_MIN
    } else {
        min
    };
    ServedApi {
        api_key: key.number(),
        min_version,
        max_version,
    }
}

/// Letters, digits, dots and hyphens, the latter two not at the ends (KIP-511).
fn is_software_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let inner = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
    let ends = [bytes.first(), bytes.last()];
    bytes.iter().all(inner)
        && ends
            .iter()
            .all(|b| b.is_some_and(u8::is_ascii_alphanumeric))
}
