//! Calls as a broker sees them: a server that notes the epoch and refuses.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tonic::metadata::MetadataMap;
use tonic::server::NamedService;
use tonic::transport::{Endpoint, Server};
use tonic::{Code, Status};
use weir_proto::OPERATOR_EPOCH;

use super::broker::Broker;
use super::{Admin, Refusal};
use crate::term::Term;

/// Epochs that came, and the one that was heard.
#[derive(Clone, Default)]
struct Refusing(Arc<Mutex<Vec<Option<String>>>>, Option<u64>);

impl NamedService for Refusing {
    const NAME: &'static str = "weir.admin.v1.Admin";
}

impl tower::Service<Request<Body>> for Refusing {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let epoch = request.headers().get(OPERATOR_EPOCH);
        let epoch = epoch.and_then(|e| e.to_str().ok()).map(str::to_owned);
        self.0.lock().expect("lock").push(epoch);
        let mut metadata = MetadataMap::new();
        if let Some(heard) = self.1 {
            metadata.insert(OPERATOR_EPOCH, heard.into());
        }
        let status = Status::with_metadata(Code::Aborted, "no", metadata);
        ready(Ok(status.into_http()))
    }
}

async fn broker(service: &Refusing, term: &Term) -> Broker {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port");
    let address = listener.local_addr().expect("an address");
    let incoming = tonic::transport::server::TcpIncoming::from(listener);
    let serving = Server::builder()
        .add_service(service.clone())
        .serve_with_incoming(incoming);
    tokio::spawn(serving);
    let channel = Endpoint::from_shared(format!("http://{address}"))
        .expect("an address")
        .connect_lazy();
    Broker::new("broker-0".to_owned(), channel, term.clone())
}

#[tokio::test]
async fn a_call_carries_the_epoch_and_a_refused_one_ends_the_term() {
    let (service, term) = (Refusing(Arc::default(), Some(9)), Term::default());
    let broker = broker(&service, &term).await;
    term.begin(7);
    let refused = broker.delete_topic("t").await.expect_err("refused");
    assert!(refused.is(Refusal::Deposed), "{refused:?}");
    let over = tokio::time::timeout(Duration::from_secs(60), term.over()).await;
    let over = over.expect("the term is over");
    assert_eq!((over.ours, over.heard), (7, 9));
    let came = service.0.lock().expect("lock").clone();
    assert_eq!(came, [Some("7".to_owned())]);
}

#[tokio::test]
async fn a_call_without_an_epoch_is_plain_and_another_refusal_ends_nothing() {
    let (service, term) = (Refusing::default(), Term::default());
    let broker = broker(&service, &term).await;
    let refused = broker.delete_topic("t").await.expect_err("refused");
    assert!(refused.is(Refusal::Precondition), "{refused:?}");
    assert_eq!(service.0.lock().expect("lock").clone(), [None]);
    tokio::select! {
        biased;
        over = term.over() => panic!("{over}"),
        () = std::future::ready(()) => {}
    }
}
