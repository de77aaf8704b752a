//! Brokers that stop all at once do not wait for each other.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};
use tonic::transport::Channel;
use weir_proto::admin::admin_client::AdminClient;
use weir_proto::admin::{CreateTopicRequest, DescribeClusterRequest, DescribeTopicRequest};

const WAIT: Duration = Duration::from_secs(120);
/// What a broker gives its hand-off at most is 45 s; the last of those that stop needs a few.
const STOP_WITHIN: Duration = Duration::from_secs(35);

/// Peer, admin, health and Kafka.
type Ports = [u16; 4];

struct Broker(Child);

impl Broker {
    fn start(folder: &Path, id: usize, ports: &[Ports]) -> Self {
        let [peer, admin, health, kafka] = ports[id];
        let at = folder.join(format!("{id}"));
        std::fs::create_dir_all(&at).expect("created");
        let seeds: Vec<_> = ports
            .iter()
            .map(|[peer, ..]| format!("'127.0.0.1:{peer}'"))
            .collect();
        let form = if id == 0 { "form: all-stop" } else { "" };
        let text = format!(
            "brokerId: {id}
dataDir: {data}
peer: {{bind: '127.0.0.1:{peer}', advertised: '127.0.0.1:{peer}'}}
seeds: [{seeds}]
admin: {{bind: '127.0.0.1:{admin}'}}
health: {{bind: '127.0.0.1:{health}'}}
listeners: [{{name: client, protocol: Kafka, bind: '127.0.0.1:{kafka}'}}]
{form}
",
            data = at.join("data").display(),
            seeds = seeds.join(", "),
        );
        let config = at.join("broker.yaml");
        std::fs::write(&config, text).expect("written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir-broker"));
        let child = command.arg("--config").arg(config).spawn();
        Self(child.expect("it starts"))
    }

    fn ask_to_stop(&self) {
        let mut kill = Command::new("kill");
        let asked = kill.arg("-TERM").arg(self.0.id().to_string()).status();
        assert!(asked.expect("there is kill").success());
    }

    async fn ended(&mut self) -> ExitStatus {
        loop {
            if let Some(status) = self.0.try_wait().expect("a child of ours") {
                return status;
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // One that has ended already is no error.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ports() -> Vec<Ports> {
    let bind = || TcpListener::bind("127.0.0.1:0").expect("a port");
    let held: Vec<[TcpListener; 4]> = (0..3).map(|_| std::array::from_fn(|_| bind())).collect();
    let port = |l: &TcpListener| l.local_addr().expect("bound").port();
    held.iter()
        .map(|broker| std::array::from_fn(|i| port(&broker[i])))
        .collect()
}

async fn admin(port: u16) -> AdminClient<Channel> {
    let connected = async {
        loop {
            match AdminClient::connect(format!("http://127.0.0.1:{port}")).await {
                Ok(client) => return client,
                Err(_) => sleep(Duration::from_millis(50)).await,
            }
        }
    };
    let connected = timeout(WAIT, connected).await;
    connected.expect("the admin channel is served")
}

async fn until_three_live(client: &mut AdminClient<Channel>) {
    let live = async {
        loop {
            if let Ok(answer) = client.describe_cluster(DescribeClusterRequest {}).await
                && answer
                    .get_ref()
                    .brokers
                    .iter()
                    .filter(|b| !b.fenced)
                    .count()
                    == 3
            {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(WAIT, live).await.expect("three brokers live");
}

/// Every broker leads some of its partitions, and all replicas are in sync.
async fn create_topic(client: &mut AdminClient<Channel>) {
    let request = CreateTopicRequest {
        name: "t".to_owned(),
        partitions: 6,
        replication_factor: 3,
        ..CreateTopicRequest::default()
    };
    client.create_topic(request).await.expect("created");
    let in_sync = async {
        loop {
            let request = DescribeTopicRequest {
                name: "t".to_owned(),
            };
            let answer = client.describe_topic(request).await.expect("it exists");
            let topic = answer.into_inner().topic.expect("described");
            if topic.partitions.iter().all(|p| p.isr.len() == 3) {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(WAIT, in_sync).await.expect("all are in sync");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_brokers_asked_to_stop_together_end_in_order_and_soon() {
    let folder = tempfile::tempdir().expect("a folder");
    let ports = ports();
    let mut brokers: Vec<_> = (0..3)
        .map(|id| Broker::start(folder.path(), id, &ports))
        .collect();
    let mut client = admin(ports[0][1]).await;
    until_three_live(&mut client).await;
    create_topic(&mut client).await;
    drop(client);

    let began = Instant::now();
    for broker in &brokers {
        broker.ask_to_stop();
    }
    for (id, broker) in brokers.iter_mut().enumerate() {
        let left = STOP_WITHIN.saturating_sub(began.elapsed());
        let ended = timeout(left, broker.ended()).await;
        let status = ended.unwrap_or_else(|_| panic!("broker {id} still waits"));
        assert!(status.success(), "broker {id}: {status}");
        println!("broker {id} ended within {:?}", began.elapsed());
    }
}
