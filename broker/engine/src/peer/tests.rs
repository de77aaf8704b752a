use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;

use super::{
    BODY_BYTES_MAX, Class, ConnectionId, PeerError, PeerFault, PeerNet, PeerRouter, PeerService,
    Probe, serve,
};

const ECHO: u16 = 1;
const PARK: u16 = 2;
const RELEASE: u16 = 3;
const REFUSE: u16 = 4;
const WAIT: Duration = Duration::from_secs(10);

struct Tester {
    release: Notify,
    parked: AtomicUsize,
    gone: mpsc::UnboundedSender<ConnectionId>,
}

#[async_trait]
impl PeerService for Tester {
    async fn handle(&self, kind: u16, body: Bytes) -> Result<Bytes, PeerFault> {
        match kind {
            ECHO => Ok(body),
            PARK => {
                self.parked.fetch_add(1, Ordering::SeqCst);
                self.release.notified().await;
                Ok(body)
            }
            RELEASE => {
                self.release.notify_waiters();
                Ok(Bytes::new())
            }
            _ => Err(PeerFault::Unavailable("not today".into())),
        }
    }

    fn disconnected(&self, connection: ConnectionId) {
        let _ = self.gone.send(connection);
    }
}

struct Server {
    address: String,
    service: Arc<Tester>,
    gone: mpsc::UnboundedReceiver<ConnectionId>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

async fn start_at(address: &str) -> Server {
    let listener = TcpListener::bind(address).await.expect("a loopback port");
    let address = listener.local_addr().expect("bound").to_string();
    let (tell, gone) = mpsc::unbounded_channel();
    let service = Arc::new(Tester {
        release: Notify::new(),
        parked: AtomicUsize::new(0),
        gone: tell,
    });
    let router = Arc::new(PeerRouter::new());
    router.register(1..=9, Arc::<Tester>::clone(&service));
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(serve(listener, router, stopped));
    Server {
        address,
        service,
        gone,
        stop,
        task,
    }
}

async fn start() -> Server {
    start_at("127.0.0.1:0").await
}

async fn call(net: &PeerNet, to: &str, kind: u16, body: &'static [u8]) -> Result<Bytes, PeerError> {
    net.call(to, Class::Control, kind, Bytes::from_static(body), WAIT)
        .await
}

#[tokio::test]
async fn a_parked_request_does_not_hold_up_the_next() {
    let server = start().await;
    let net = PeerNet::new();
    let parked = tokio::spawn({
        let (net, to) = (net.clone(), server.address.clone());
        async move { call(&net, &to, PARK, b"late").await }
    });
    while server.service.parked.load(Ordering::SeqCst) == 0 {
        assert_eq!(
            call(&net, &server.address, ECHO, b"x").await,
            Ok(Bytes::from_static(b"x"))
        );
    }
    call(&net, &server.address, RELEASE, b"")
        .await
        .expect("released");
    assert_eq!(
        parked.await.expect("joined"),
        Ok(Bytes::from_static(b"late"))
    );
}

#[tokio::test]
async fn faults_and_unknown_kinds_come_back_as_such() {
    let server = start().await;
    let net = PeerNet::new();
    let refused = call(&net, &server.address, REFUSE, b"")
        .await
        .expect_err("refused");
    assert!(!refused.may_have_happened());
    let unknown = call(&net, &server.address, 77, b"")
        .await
        .expect_err("unknown");
    assert_eq!(
        unknown,
        PeerError::Fault {
            address: server.address.clone(),
            fault: PeerFault::UnknownKind(77)
        }
    );
}

#[tokio::test]
async fn large_bodies_pass_and_too_large_ones_are_refused_at_home() {
    let server = start().await;
    let net = PeerNet::new();
    let body = Bytes::from(vec![7; 8 * 1024 * 1024 + 13]);
    let echoed = net
        .call(&server.address, Class::Data, ECHO, body.clone(), WAIT)
        .await;
    assert_eq!(echoed.expect("echoed"), body);
    let body = Bytes::from(vec![7; BODY_BYTES_MAX + 1]);
    let refused = net
        .call(&server.address, Class::Data, ECHO, body, WAIT)
        .await;
    assert!(matches!(refused, Err(PeerError::TooLarge { .. })));
}

#[tokio::test]
async fn a_timeout_leaves_the_connection_usable() {
    let server = start().await;
    let net = PeerNet::new();
    let short = Duration::from_millis(20);
    let late = net
        .call(&server.address, Class::Control, PARK, Bytes::new(), short)
        .await;
    assert!(late.expect_err("parked for ever").may_have_happened());
    call(&net, &server.address, ECHO, b"y")
        .await
        .expect("same connection");
}

#[tokio::test]
async fn a_restarted_server_is_reached_again() {
    let server = start().await;
    let net = PeerNet::new();
    call(&net, &server.address, ECHO, b"1")
        .await
        .expect("first");
    let address = server.address.clone();
    server.stop.send_replace(true);
    server.task.await.expect("stopped");
    let down = call(&net, &address, ECHO, b"2").await;
    assert!(down.is_err(), "{down:?}");
    assert_eq!(net.probe(&address, WAIT).await, Probe::Gone);
    let again = start_at(&address).await;
    assert_eq!(net.probe(&again.address, WAIT).await, Probe::Reachable);
    call(&net, &address, ECHO, b"3").await.expect("reconnected");
}

#[tokio::test]
async fn the_server_hears_of_a_broken_connection() {
    let mut server = start().await;
    let net = PeerNet::new();
    call(&net, &server.address, ECHO, b"1")
        .await
        .expect("connected");
    net.close();
    server.gone.recv().await.expect("told");
}

#[tokio::test]
async fn a_stop_answers_the_requests_in_hand() {
    let server = start().await;
    let net = PeerNet::new();
    let parked = tokio::spawn({
        let (net, to) = (net.clone(), server.address.clone());
        async move { call(&net, &to, PARK, b"in hand").await }
    });
    while server.service.parked.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    server.stop.send_replace(true);
    server.service.release.notify_waiters();
    assert_eq!(
        parked.await.expect("joined"),
        Ok(Bytes::from_static(b"in hand"))
    );
    server.task.await.expect("stopped");
}

/// Sends raw bytes and returns whether the server closed the connection.
async fn is_closed_after(server: &Server, bytes: &[u8]) -> bool {
    let mut stream = TcpStream::connect(&server.address)
        .await
        .expect("connected");
    stream.write_all(bytes).await.expect("sent");
    let mut rest = Vec::new();
    tokio::time::timeout(WAIT, stream.read_to_end(&mut rest))
        .await
        .is_ok()
}

#[tokio::test]
async fn strangers_and_lying_frames_are_cut_off() {
    let server = start().await;
    assert!(is_closed_after(&server, b"GET / HTTP/1.1\r\n\r\n").await);
    assert!(
        is_closed_after(&server, b"WEIR\x09\0\0\0").await,
        "other version"
    );
    let mut huge = b"WEIR\x01\0\0\0".to_vec();
    huge.extend_from_slice(&[0xff; 16]);
    assert!(is_closed_after(&server, &huge).await, "absurd length");
    let mut tiny = b"WEIR\x01\0\0\0".to_vec();
    tiny.extend_from_slice(&[0, 0, 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
    assert!(
        is_closed_after(&server, &tiny).await,
        "length under the header's"
    );
    let net = PeerNet::new();
    call(&net, &server.address, ECHO, b"ok")
        .await
        .expect("others are not disturbed");
}
