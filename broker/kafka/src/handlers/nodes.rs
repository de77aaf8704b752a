use weir_api::ClusterView;
use weir_types::BrokerId;

/// A broker as clients of one listener reach it.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub id: BrokerId,
    pub host: String,
    pub port: i32,
    pub rack: Option<String>,
    pub fenced: bool,
}

/// The brokers that have a listener of the caller's name, in the view's order.
pub(super) struct Nodes {
    nodes: Vec<Node>,
    controller: Option<BrokerId>,
}

impl Nodes {
    pub(super) fn of(cluster: &ClusterView, listener: &str) -> Self {
        let nodes = cluster.brokers.iter().filter_map(|broker| {
            let at = broker.listener(listener)?;
            Some(Node {
                id: broker.id,
                host: at.host.clone(),
                port: i32::from(at.port),
                rack: broker.rack.clone(),
                fenced: broker.fenced,
            })
        });
        Self {
            nodes: nodes.collect(),
            controller: cluster.controller,
        }
    }

    /// Fenced ones too.
    pub(super) fn all(&self) -> &[Node] {
        &self.nodes
    }

    pub(super) fn alive(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| !node.fenced)
    }

    pub(super) fn get_alive(&self, id: BrokerId) -> Option<&Node> {
        self.alive().find(|node| node.id == id)
    }

    /// Whom to send administration to: every broker takes it, so `me` will do while there is no
    /// controller. -1 if neither can be reached.
    pub(super) fn controller_id(&self, me: BrokerId) -> i32 {
        let wanted = self.controller.into_iter().chain([me]);
        wanted
            .filter_map(|id| self.get_alive(id))
            .map(|node| node.id.0)
            .next()
            .unwrap_or(-1)
    }
}
