//! Certificates of a cluster: an authority of its own, one certificate for the brokers and one
//! for the operator, all in Secrets, renewed well before they expire.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};

use crate::admin::Identity;
use crate::error::{Error, Result};
use crate::hash::digest;
use crate::names::Names;

const DAY: u64 = 86_400;
const CA_DAYS: u64 = 3650;
/// The authority is replaced while every certificate it signed is still good.
const CA_RENEW_DAYS: u64 = 400;
const LEAF_DAYS: u64 = 365;
const LEAF_RENEW_DAYS: u64 = 120;
/// Certificates are good from a while before they are made: clocks differ.
const BACKDATED: u64 = 3600;

/// Names what a certificate was made from: its authority and its names.
const MADE_FROM: &str = "weir.dev/made-from";

/// Contents of one of our Secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    pub data: BTreeMap<String, String>,
    pub made_from: String,
}

impl Bundle {
    fn read(secret: Option<&Secret>) -> Option<Self> {
        let secret = secret?;
        let annotations = secret.metadata.annotations.as_ref();
        let text = |bytes: &ByteString| String::from_utf8(bytes.0.clone()).ok();
        Some(Self {
            data: secret
                .data
                .as_ref()?
                .iter()
                .filter_map(|(k, v)| text(v).map(|v| (k.clone(), v)))
                .collect(),
            made_from: annotations.and_then(|a| a.get(MADE_FROM)).cloned()?,
        })
    }

    fn get(&self, key: &str) -> &str {
        self.data.get(key).map(String::as_str).unwrap_or_default()
    }

    /// Annotations of the Secret.
    pub fn annotations(&self) -> BTreeMap<String, String> {
        BTreeMap::from([(MADE_FROM.to_owned(), self.made_from.clone())])
    }

    pub fn bytes(&self) -> BTreeMap<String, ByteString> {
        let bytes = |v: &String| ByteString(v.clone().into_bytes());
        self.data
            .iter()
            .map(|(k, v)| (k.clone(), bytes(v)))
            .collect()
    }
}

/// All certificates of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificates {
    pub ca: Bundle,
    pub broker: Bundle,
    pub operator: Bundle,
}

impl Certificates {
    /// The operator's identity towards the brokers.
    pub fn identity(&self) -> Arc<Identity> {
        Arc::new(identity_of(&self.operator))
    }
}

fn identity_of(operator: &Bundle) -> Identity {
    Identity {
        ca: operator.get("ca.crt").to_owned(),
        cert: operator.get("tls.crt").to_owned(),
        key: operator.get("tls.key").to_owned(),
    }
}

/// The operator's identity, from its Secret.
pub fn read_identity(secret: Option<&Secret>) -> Option<Arc<Identity>> {
    Bundle::read(secret).map(|bundle| Arc::new(identity_of(&bundle)))
}

/// What is there and good is kept; the rest is made anew.
///
/// # Errors
/// The stored authority cannot be read, or a certificate cannot be made.
pub fn certificates(
    names: &Names,
    secrets: &BTreeMap<String, Secret>,
    now_unix: u64,
) -> Result<Certificates> {
    let stored = |name: String| Bundle::read(secrets.get(&name));
    let ca = match stored(names.ca_secret()) {
        Some(ca) if good(ca.get("tls.crt"), now_unix, CA_RENEW_DAYS) => ca,
        old => new_authority(names, old.as_ref(), now_unix)?,
    };
    let leaf = |name: String, kind: Leaf| -> Result<Bundle> {
        let sans = kind.sans(names);
        let made_from = digest(format!("{}{}", ca.get("ca.crt"), sans.join(",")).as_bytes());
        match stored(name) {
            Some(kept)
                if kept.made_from == made_from
                    && good(kept.get("tls.crt"), now_unix, LEAF_RENEW_DAYS) =>
            {
                Ok(kept)
            }
            _ => new_leaf(kind, sans, &ca, made_from, now_unix),
        }
    };
    Ok(Certificates {
        broker: leaf(names.broker_secret(), Leaf::Broker)?,
        operator: leaf(names.operator_secret(), Leaf::Operator)?,
        ca,
    })
}

#[derive(Clone, Copy)]
enum Leaf {
    Broker,
    Operator,
}

impl Leaf {
    /// Wildcards, so that another broker needs no other certificate.
    fn sans(self, names: &Names) -> Vec<String> {
        let (ns, brokers) = (&names.namespace, names.brokers_service());
        let bootstrap = names.bootstrap_service();
        match self {
            Leaf::Broker => vec![
                format!("*.{brokers}.{ns}.svc"),
                format!("*.{brokers}.{ns}.svc.cluster.local"),
                format!("{bootstrap}.{ns}.svc"),
                format!("{bootstrap}.{ns}.svc.cluster.local"),
                "localhost".to_owned(),
                "127.0.0.1".to_owned(),
            ],
            Leaf::Operator => vec!["weir-operator".to_owned()],
        }
    }
}

/// Whether a certificate can be read and is good for some time yet.
fn good(pem: &str, now_unix: u64, days_left: u64) -> bool {
    let Ok((_, pem)) = x509_parser::pem::parse_x509_pem(pem.as_bytes()) else {
        return false;
    };
    let Ok(certificate) = pem.parse_x509() else {
        return false;
    };
    let end = certificate.validity().not_after.timestamp();
    u64::try_from(end).is_ok_and(|end| end > now_unix + days_left * DAY)
}

fn params(sans: Vec<String>, name: &str, now_unix: u64, days: u64) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(sans).map_err(failed)?;
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    params.distinguished_name = subject;
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + Duration::from_secs(now_unix.saturating_sub(BACKDATED));
    params.not_after = epoch + Duration::from_secs(now_unix + days * DAY);
    Ok(params)
}

/// The old authority's certificate stays in the bundle, so that both are trusted while the new
/// one spreads.
fn new_authority(names: &Names, old: Option<&Bundle>, now_unix: u64) -> Result<Bundle> {
    let key = KeyPair::generate().map_err(failed)?;
    let name = format!("weir {}/{}", names.namespace, names.cluster);
    let mut params = params(Vec::new(), &name, now_unix, CA_DAYS)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key).map_err(failed)?.pem();
    let before = old.map(|b| b.get("tls.crt")).unwrap_or_default();
    let trusted = format!("{certificate}{before}");
    Ok(Bundle {
        made_from: digest(certificate.as_bytes()),
        data: BTreeMap::from([
            ("tls.crt".to_owned(), certificate),
            ("tls.key".to_owned(), key.serialize_pem()),
            ("ca.crt".to_owned(), trusted),
        ]),
    })
}

fn new_leaf(
    kind: Leaf,
    sans: Vec<String>,
    ca: &Bundle,
    made_from: String,
    now_unix: u64,
) -> Result<Bundle> {
    let (name, usage) = match kind {
        Leaf::Broker => ("weir-broker", ExtendedKeyUsagePurpose::ServerAuth),
        Leaf::Operator => ("weir-operator", ExtendedKeyUsagePurpose::ClientAuth),
    };
    let ca_key = KeyPair::from_pem(ca.get("tls.key")).map_err(failed)?;
    let issuer = Issuer::from_ca_cert_pem(ca.get("tls.crt"), ca_key).map_err(failed)?;
    let key = KeyPair::generate().map_err(failed)?;
    let mut params = params(sans, name, now_unix, LEAF_DAYS)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    let certificate = params.signed_by(&key, &issuer).map_err(failed)?;
    Ok(Bundle {
        made_from,
        data: BTreeMap::from([
            ("tls.crt".to_owned(), certificate.pem()),
            ("tls.key".to_owned(), key.serialize_pem()),
            ("ca.crt".to_owned(), ca.get("ca.crt").to_owned()),
        ]),
    })
}

fn failed(error: rcgen::Error) -> Error {
    Error::Certificates(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn secret(bundle: &Bundle) -> Secret {
        let mut secret = Secret {
            data: Some(bundle.bytes()),
            ..Secret::default()
        };
        secret.metadata.annotations = Some(bundle.annotations());
        secret
    }

    fn stored(names: &Names, made: &Certificates) -> BTreeMap<String, Secret> {
        BTreeMap::from([
            (names.ca_secret(), secret(&made.ca)),
            (names.broker_secret(), secret(&made.broker)),
            (names.operator_secret(), secret(&made.operator)),
        ])
    }

    #[test]
    fn good_certificates_are_kept() {
        let names = Names::new("mq", "demo");
        let made = certificates(&names, &BTreeMap::new(), NOW).expect("made");
        let again = certificates(&names, &stored(&names, &made), NOW + 200 * DAY);
        assert_eq!(again.expect("kept"), made);
    }

    #[test]
    fn leaves_are_renewed_before_they_expire_under_the_same_authority() {
        let names = Names::new("mq", "demo");
        let made = certificates(&names, &BTreeMap::new(), NOW).expect("made");
        let later = certificates(&names, &stored(&names, &made), NOW + 250 * DAY).expect("made");
        assert_eq!(later.ca, made.ca);
        assert_ne!(later.broker, made.broker);
        assert_ne!(later.operator, made.operator);
    }

    #[test]
    fn a_new_authority_leaves_the_old_one_trusted() {
        let names = Names::new("mq", "demo");
        let made = certificates(&names, &BTreeMap::new(), NOW).expect("made");
        let later = certificates(&names, &stored(&names, &made), NOW + 3300 * DAY).expect("made");
        assert_ne!(later.ca, made.ca);
        let trusted = later.broker.get("ca.crt");
        assert!(trusted.contains(made.ca.get("tls.crt")));
        assert!(trusted.contains(later.ca.get("tls.crt")));
    }
}
