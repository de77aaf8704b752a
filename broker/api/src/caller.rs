use std::net::SocketAddr;

/// Who calls, through which door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// `User:ANONYMOUS` until the listener authenticates.
    pub principal: String,
    /// Name of the listener; decides which addresses the caller is told.
    pub listener: String,
    pub client_id: String,
    pub peer: Option<SocketAddr>,
}

impl Caller {
    /// The broker itself.
    pub fn internal() -> Self {
        Self {
            principal: "User:BROKER".to_owned(),
            listener: String::new(),
            client_id: "weir".to_owned(),
            peer: None,
        }
    }
}
