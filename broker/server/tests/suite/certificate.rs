//! The admin channel's certificates: whom the broker refuses, and a renewal while it runs.

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{
    CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _,
};
use tokio_rustls::rustls::{AlertDescription, ClientConfig, Error as TlsError, RootCertStore};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use weir_proto::admin::GetBrokerRequest;
use weir_proto::admin::admin_client::AdminClient;
use weir_server::{Args, run};

/// An authority with a server's and a client's certificate, all PEM.
struct Authority {
    ca: String,
    server: (String, String),
    client: (String, String),
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let ca = params.self_signed(&key).expect("signed").pem();
        let issuer = Issuer::from_ca_cert_pem(&ca, key).expect("an authority");
        Self {
            server: leaf(&issuer, ExtendedKeyUsagePurpose::ServerAuth),
            client: leaf(&issuer, ExtendedKeyUsagePurpose::ClientAuth),
            ca,
        }
    }

    /// As a mounted Secret is replaced: file after file, so that they do not fit for a moment.
    fn install(&self, folder: &Path) {
        let files = [
            ("tls.crt", &self.server.0),
            ("tls.key", &self.server.1),
            ("ca.crt", &self.ca),
        ];
        for (name, text) in files {
            std::fs::write(folder.join(name), text).expect("written");
        }
    }
}

fn leaf(issuer: &Issuer<'_, KeyPair>, usage: ExtendedKeyUsagePurpose) -> (String, String) {
    let key = KeyPair::generate().expect("a key");
    let names = vec!["localhost".to_owned()];
    let mut params = CertificateParams::new(names).expect("a name");
    params.extended_key_usages = vec![usage];
    let certificate = params.signed_by(&key, issuer).expect("signed");
    (certificate.pem(), key.serialize_pem())
}

/// A new connection of somebody who trusts, and is trusted by, this authority alone.
async fn connect(port: u16, authority: &Authority) -> Result<Channel, tonic::transport::Error> {
    let (cert, key) = &authority.client;
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(&authority.ca))
        .identity(Identity::from_pem(cert, key))
        .domain_name("localhost");
    Endpoint::from_shared(format!("https://127.0.0.1:{port}"))
        .expect("an address")
        .tls_config(tls)?
        .connect_timeout(Duration::from_secs(5))
        .connect()
        .await
}

async fn answers(channel: Channel) -> bool {
    let mut client = AdminClient::new(channel);
    client.get_broker(GetBrokerRequest {}).await.is_ok()
}

async fn is_served(port: u16, authority: &Authority) -> bool {
    match connect(port, authority).await {
        Ok(channel) => answers(channel).await,
        Err(_) => false,
    }
}

async fn until_served(port: u16, authority: &Authority) {
    let served = async {
        while !is_served(port, authority).await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let served = tokio::time::timeout(Duration::from_secs(60), served).await;
    served.expect("the authority's clients are served");
}

fn ports<const N: usize>() -> [u16; N] {
    let held: [TcpListener; N] =
        std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").expect("a port"));
    held.map(|l| l.local_addr().expect("bound").port())
}

fn write_config(folder: &Path, [peer, admin, health, kafka]: [u16; 4]) {
    let at = folder.display();
    let text = format!(
        "brokerId: 0
dataDir: {at}/data
peer: {{bind: '127.0.0.1:{peer}', advertised: '127.0.0.1:{peer}'}}
admin: {{bind: '127.0.0.1:{admin}', tls: {{cert: {at}/tls.crt, key: {at}/tls.key, clientCa: {at}/ca.crt}}}}
health: {{bind: '127.0.0.1:{health}'}}
listeners: [{{name: client, protocol: Kafka, bind: '127.0.0.1:{kafka}'}}]
"
    );
    std::fs::write(folder.join("broker.yaml"), text).expect("written");
}

fn start(folder: &Path, ports: [u16; 4]) -> JoinHandle<anyhow::Result<()>> {
    write_config(folder, ports);
    tokio::spawn(run(Args {
        dev: false,
        data_dir: None,
        port: 0,
        config: Some(folder.join("broker.yaml")),
        log_json: false,
    }))
}

fn client_config(trusted: &Authority, shown: Option<&Authority>) -> ClientConfig {
    let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate");
    let mut roots = RootCertStore::empty();
    roots.add(der(&trusted.ca)).expect("an authority");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has them")
        .with_root_certificates(roots);
    let mut config = match shown {
        None => config.with_no_client_auth(),
        Some(Authority {
            client: (cert, key),
            ..
        }) => {
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
            let config = config.with_client_auth_cert(vec![der(cert)], key);
            config.expect("they belong together")
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

/// The alert with which the broker turns a client away that trusts it. With TLS 1.3 the
/// handshake is over for the client before the server has looked at its certificate: that it
/// succeeds says that the client itself has nothing against the server.
async fn alert(port: u16, trusted: &Authority, shown: Option<&Authority>) -> TlsError {
    let socket = tokio::net::TcpStream::connect(("127.0.0.1", port)).await;
    let name = ServerName::try_from("localhost").expect("a name");
    let connector = TlsConnector::from(Arc::new(client_config(trusted, shown)));
    let stream = connector.connect(name, socket.expect("it listens")).await;
    let mut stream = stream.expect("the client trusts the server");
    let answer = tokio::time::timeout(Duration::from_secs(60), stream.read(&mut [0; 64])).await;
    let error = answer.expect("an answer").expect_err("an alert");
    let inner = error.into_inner().expect("of TLS");
    *inner.downcast::<TlsError>().expect("of TLS")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_without_a_certificate_of_the_authority_are_refused_by_the_broker() {
    let folder = tempfile::tempdir().expect("a folder");
    let [ours, foreign] = std::array::from_fn(|_| Authority::new());
    ours.install(folder.path());
    let ports = ports();
    let port = ports[1];
    let broker = start(folder.path(), ports);
    until_served(port, &ours).await;

    let none = alert(port, &ours, None).await;
    assert_eq!(
        none,
        TlsError::AlertReceived(AlertDescription::CertificateRequired)
    );
    let other = alert(port, &ours, Some(&foreign)).await;
    assert!(
        matches!(
            other,
            TlsError::AlertReceived(
                AlertDescription::UnknownCA
                    | AlertDescription::BadCertificate
                    | AlertDescription::DecryptError
            )
        ),
        "{other}"
    );
    assert!(is_served(port, &ours).await, "others are still served");
    broker.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewed_certificate_is_served_without_a_restart_and_a_broken_one_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let [first, second, third] = std::array::from_fn(|_| Authority::new());
    first.install(folder.path());
    let ports = ports();
    let port = ports[1];
    let broker = start(folder.path(), ports);
    until_served(port, &first).await;
    assert!(!is_served(port, &second).await);

    second.install(folder.path());
    until_served(port, &second).await;
    assert!(
        !is_served(port, &first).await,
        "a new connection gets the new certificate"
    );

    // A certificate beside somebody else's key changes nothing, until the key comes too.
    let before = counted(ports[2], "weir_admin_certificate_refusals_total").await;
    std::fs::write(folder.path().join("tls.crt"), &third.server.0).expect("written");
    let refused = async {
        while counted(ports[2], "weir_admin_certificate_refusals_total").await == before {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let refused = tokio::time::timeout(Duration::from_secs(60), refused).await;
    refused.expect("the refusal is counted");
    assert!(is_served(port, &second).await);
    third.install(folder.path());
    until_served(port, &third).await;
    let renewals = counted(ports[2], "weir_admin_certificate_renewals_total").await;
    assert_eq!(renewals, 2);
    assert!(!broker.is_finished());
    broker.abort();
}

/// What the broker's metrics say.
async fn counted(port: u16, name: &str) -> u64 {
    use tokio::io::AsyncWriteExt as _;
    let socket = tokio::net::TcpStream::connect(("127.0.0.1", port)).await;
    let mut socket = socket.expect("it listens");
    let request = b"GET /metrics HTTP/1.0\r\n\r\n";
    socket.write_all(request).await.expect("it reads");
    let mut text = String::new();
    socket.read_to_string(&mut text).await.expect("text");
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.and_then(|v| v.parse().ok()).expect("a counter")
}
