//! Where clients connect, against a Kubernetes and brokers in memory.

use crate::support::filled::status;
use crate::support::{CLUSTER, NODES, World};
use serde_json::{Value, json};

const SERVICES: &str = "/api/v1/namespaces/mq/services";

fn listeners(world: &World, outside: Value) {
    world.edit(CLUSTER, |c| {
        c["spec"]["listeners"] =
            json!([{"name": "internal", "port": 9092, "type": "Internal"}, outside]);
    });
}

async fn settle(world: &World) {
    for _ in 0..20 {
        world.cluster().await.expect("reconciles");
        world.kubelets();
    }
}

/// The load balancer has made an address.
fn ingress(world: &World, service: &str, address: Value) {
    world.edit(&format!("{SERVICES}/{service}"), |s| {
        s["status"]["loadBalancer"]["ingress"] = json!([address]);
    });
}

fn told(world: &World, broker: i32) -> Option<(String, u32)> {
    let state = world.brokers.state();
    let one = state.listeners.get(&broker)?.first()?.clone();
    assert_eq!(one.name, "public");
    Some((one.host, one.port))
}

/// Three brokers on nodes with addresses, and a listener that has been given a port of theirs.
async fn on_node_ports() -> World {
    let world = World::serving(3).await;
    for n in 0..3 {
        let address = json!([{"type": "InternalIP", "address": format!("192.0.2.{n}")}]);
        world.edit(&format!("{NODES}/node-{n}"), |node| {
            node["status"]["addresses"] = address;
        });
    }
    let outside = json!({"name": "outside", "port": 9094, "type": "NodePort"});
    listeners(&world, outside);
    settle(&world).await;
    let service = format!("{SERVICES}/demo-outside-bootstrap");
    world.edit(&service, |s| {
        s["spec"]["ports"][0]["nodePort"] = json!(30094);
    });
    world
}

fn set_ready(world: &World, node: i32, ready: &str) {
    world.edit(&format!("{NODES}/node-{node}"), |n| {
        n["status"]["conditions"][0]["status"] = json!(ready);
    });
}

/// Where clients begin after another look.
async fn beginning(world: &World) -> Value {
    world.cluster().await.expect("reconciles");
    status(world)["listeners"][1]["bootstrap"].clone()
}

#[tokio::test]
async fn clients_begin_at_a_node_that_is_ready_and_stay_with_it() {
    let world = on_node_ports().await;
    assert_eq!(beginning(&world).await, "192.0.2.0:30094");
    set_ready(&world, 0, "Unknown");
    assert_eq!(beginning(&world).await, "192.0.2.1:30094");
    // The first one is back, and nobody is sent there for that.
    set_ready(&world, 0, "True");
    world.api.take_writes();
    for _ in 0..3 {
        assert_eq!(beginning(&world).await, "192.0.2.1:30094");
    }
    assert_eq!(world.api.take_writes(), Vec::<String>::new());
    world.api.remove(&format!("{NODES}/node-1"));
    assert_eq!(beginning(&world).await, "192.0.2.0:30094");
}

#[tokio::test]
async fn clients_begin_at_a_cordoned_node_only_where_no_other_is_ready() {
    let world = on_node_ports().await;
    world.cordon_node(0, true);
    assert_eq!(beginning(&world).await, "192.0.2.1:30094");
    set_ready(&world, 1, "False");
    set_ready(&world, 2, "False");
    assert_eq!(beginning(&world).await, "192.0.2.0:30094", "it serves");
    set_ready(&world, 0, "False");
    let none = beginning(&world).await;
    assert_eq!(none, "192.0.2.0:30094", "no other is better off");
    set_ready(&world, 2, "True");
    assert_eq!(beginning(&world).await, "192.0.2.2:30094");
}

#[tokio::test]
async fn brokers_learn_what_their_load_balancers_were_given() {
    let world = World::serving(3).await;
    let public = json!({"name": "public", "port": 9095, "type": "LoadBalancer"});
    listeners(&world, public);
    settle(&world).await;
    assert_eq!(world.reason(CLUSTER), "Ready");
    assert_eq!(told(&world, 0), None, "nothing is known yet");
    assert_eq!(status(&world)["listeners"][1]["bootstrap"], Value::Null);
    ingress(
        &world,
        "demo-public-bootstrap",
        json!({"hostname": "kafka.example.com"}),
    );
    ingress(&world, "demo-public-0", json!({"ip": "192.0.2.10"}));
    ingress(
        &world,
        "demo-public-1",
        json!({"hostname": "b1.example.com"}),
    );
    world.brokers.take_calls();
    world.cluster().await.expect("reconciles");
    let calls = world.brokers.take_calls();
    assert_eq!(calls, ["listeners of 0", "listeners of 1"]);
    assert_eq!(told(&world, 0), Some(("192.0.2.10".to_owned(), 9095)));
    assert_eq!(told(&world, 1), Some(("b1.example.com".to_owned(), 9095)));
    let bootstrap = &status(&world)["listeners"][1]["bootstrap"];
    assert_eq!(*bootstrap, "kafka.example.com:9095");
    world.cluster().await.expect("reconciles");
    assert_eq!(world.brokers.take_calls(), Vec::<String>::new(), "known");
    // Another address is told again.
    ingress(&world, "demo-public-0", json!({"ip": "192.0.2.11"}));
    world.cluster().await.expect("reconciles");
    assert_eq!(told(&world, 0), Some(("192.0.2.11".to_owned(), 9095)));
}

#[tokio::test]
async fn what_a_load_balancer_is_asked_for_restarts_no_broker() {
    let world = World::serving(3).await;
    let public = json!({"name": "public", "port": 9095, "type": "LoadBalancer"});
    listeners(&world, public.clone());
    settle(&world).await;
    let mut asked = public;
    asked["annotations"] = json!({"example.com/scheme": "internal"});
    asked["externalTrafficPolicy"] = json!("Local");
    listeners(&world, asked);
    world.api.take_writes();
    settle(&world).await;
    for name in ["demo-public-bootstrap", "demo-public-2"] {
        let service = world.api.get(&format!("{SERVICES}/{name}"));
        let service = service.expect("it exists");
        let annotations = &service["metadata"]["annotations"];
        assert_eq!(annotations["example.com/scheme"], "internal", "{name}");
        assert_eq!(service["spec"]["externalTrafficPolicy"], "Local", "{name}");
    }
    let writes = world.api.take_writes();
    assert!(!writes.iter().any(|w| w.starts_with("evict")), "{writes:?}");
    assert_eq!(world.reason(CLUSTER), "Ready");
}

#[tokio::test]
async fn names_of_the_brokers_own_ports_are_refused() {
    for name in ["peer", "admin", "health"] {
        let world = World::serving(1).await;
        let outside = json!({"name": name, "port": 9094, "type": "NodePort"});
        listeners(&world, outside);
        world.cluster().await.expect("reconciles");
        assert_eq!(world.reason(CLUSTER), "InvalidListeners", "{name}");
    }
}

#[tokio::test]
async fn an_object_that_the_api_server_takes_for_invalid_is_told() {
    let world = World::serving(3).await;
    listeners(
        &world,
        json!({"name": "outside", "port": 9094, "type": "NodePort"}),
    );
    world
        .api
        .take_for_invalid(&format!("{SERVICES}/demo-outside-1"));
    assert!(world.cluster().await.is_err(), "tried again, with pauses");
    assert_eq!(world.reason(CLUSTER), "InvalidObject");
    let message = world.condition(CLUSTER, "Stalled")["message"].clone();
    let message = message.as_str().expect("a message");
    let said = "the API server refuses Service demo-outside-1: ";
    assert!(message.starts_with(said), "{message}");
    world.api.refuse_nothing();
    settle(&world).await;
    assert_eq!(world.reason(CLUSTER), "Ready");
}
