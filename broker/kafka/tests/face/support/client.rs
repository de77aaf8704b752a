use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use weir_kafka::codec::{
    Message, Reader, RequestHeader, RequestMessage, Writer, decode_response_header,
};

/// One connection to the face.
pub struct Client {
    pub socket: TcpStream,
    next_correlation_id: i32,
}

impl Client {
    pub async fn connect(port: u16) -> Self {
        let socket = TcpStream::connect(("127.0.0.1", port))
            .await
            .expect("the face listens");
        Self {
            socket,
            next_correlation_id: 1,
        }
    }

    /// Sends a request and reads its answer.
    pub async fn call<R: RequestMessage>(&mut self, version: i16, request: &R) -> R::Response {
        let correlation_id = self.send(version, request).await;
        self.receive::<R>(version, correlation_id).await
    }

    /// Sends only; answers the correlation id.
    pub async fn send<R: RequestMessage>(&mut self, version: i16, request: &R) -> i32 {
        let correlation_id = self.next_correlation_id;
        self.next_correlation_id += 1;
        let frame = frame(version, correlation_id, request);
        self.socket.write_all(&frame).await.expect("the face reads");
        correlation_id
    }

    pub async fn receive<R: RequestMessage>(
        &mut self,
        version: i16,
        correlation_id: i32,
    ) -> R::Response {
        let mut r = Reader::new(self.frame().await.expect("an answer"));
        let got = decode_response_header(R::KEY, version, &mut r).expect("a header");
        assert_eq!(got, correlation_id, "answers come in order");
        let response = R::Response::decode(version, &mut r).expect("a good response");
        assert_eq!(r.remaining(), 0);
        response
    }

    /// The next frame; `None` when the face closed the connection.
    pub async fn frame(&mut self) -> Option<Bytes> {
        let len = self.socket.read_i32().await.ok()?;
        let mut bytes = vec![0; usize::try_from(len).expect("a length")];
        self.socket.read_exact(&mut bytes).await.ok()?;
        Some(bytes.into())
    }

    pub async fn is_closed(&mut self) -> bool {
        matches!(self.socket.read_u8().await, Err(error)
            if matches!(error.kind(), std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::ConnectionReset))
    }
}

/// A whole request with its length.
pub fn frame<R: RequestMessage>(version: i16, correlation_id: i32, request: &R) -> Bytes {
    let header = RequestHeader {
        api_key: R::KEY.number(),
        api_version: version,
        correlation_id,
        client_id: Some("test".to_owned()),
    };
    let mut w = Writer::new();
    header.encode(R::KEY, &mut w);
    request.encode(version, &mut w);
    let body = w.finish().into_bytes().expect("in memory");
    let mut out = BytesMut::new();
    out.extend_from_slice(&(body.len() as u32).to_be_bytes());
    out.extend_from_slice(&body);
    out.freeze()
}
