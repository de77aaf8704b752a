//! What happens once in a cluster's life, and what people change in the middle of it, each run
//! again with the operator killed after every single write.

use crate::support::filled::{brokers_of_set, claims, fill, held, nothing, set_replicas, status};
use crate::support::flow::Flow;
use crate::support::{CLUSTER, PODS, World};
use serde_json::json;

fn image(world: &World, broker: i32) -> String {
    let pod = world.api.get(&format!("{PODS}/demo-default-{broker}"));
    let image = &pod.unwrap_or_default()["spec"]["containers"][0]["image"];
    image.as_str().unwrap_or_default().to_owned()
}

fn set_image(world: &World, image: &str) {
    world.edit(CLUSTER, |c| c["spec"]["image"] = json!(image));
}

fn all_run(world: &World, wanted: &str) -> bool {
    (0..3).all(|n| image(world, n) == wanted) && world.brokers.state().away.is_empty()
}

#[tokio::test]
async fn a_cluster_comes_to_be() {
    let flow = Flow {
        brokers: 3,
        begin: |_| {},
        meanwhile: nothing,
        done: |world| {
            let formed = !world.brokers.state().cluster_id.is_empty();
            formed && status(world)["formed"] == true && brokers_of_set(world) == 3
        },
    };
    let writes = flow.survives_from_nothing().await;
    assert!(writes > 10, "{writes}");
}

/// Brokers with the bad image do not start.
fn bad_ones_are_down(world: &World) {
    for broker in 0..3 {
        let path = format!("{PODS}/demo-default-{broker}");
        if image(world, broker) != "weir-broker:bad" {
            world.brokers.state().down.remove(&broker);
            continue;
        }
        world.brokers.state().down.insert(broker);
        let mut pod = world.api.get(&path).expect("it has an image");
        pod["status"]["conditions"][0]["status"] = json!("False");
        pod["status"]["containerStatuses"][0]["ready"] = json!(false);
        world.api.put(&path, pod);
    }
}

#[tokio::test]
async fn a_roll_that_is_stuck_goes_on_with_a_better_template() {
    let flow = Flow {
        brokers: 3,
        begin: |world| {
            fill(world, 3);
            set_image(world, "weir-broker:bad");
        },
        meanwhile: |world, round| {
            if round == 9 {
                set_image(world, "weir-broker:good");
            }
            bad_ones_are_down(world);
        },
        done: |world| all_run(world, "weir-broker:good") && world.brokers.state().down.is_empty(),
    };
    flow.survives().await;
}

#[tokio::test]
async fn a_roll_is_paused_and_goes_on() {
    let flow = Flow {
        brokers: 3,
        begin: |world| {
            fill(world, 3);
            set_image(world, "weir-broker:new");
        },
        meanwhile: |world, round| {
            if round == 4 || round == 11 {
                world.edit(CLUSTER, |c| {
                    let paused = (round == 4).to_string();
                    c["metadata"]["annotations"] = json!({"weir.dev/pause": paused});
                });
            }
        },
        done: |world| all_run(world, "weir-broker:new"),
    };
    flow.survives().await;
}

#[tokio::test]
async fn settings_come_and_go_without_a_restart() {
    let flow = Flow {
        brokers: 3,
        begin: |world| {
            fill(world, 3);
            world.edit(CLUSTER, |c| {
                c["spec"]["config"] = json!({"retention": "1h", "flushInterval": "2s"});
            });
        },
        meanwhile: |world, round| {
            if round == 6 {
                world.edit(CLUSTER, |c| {
                    c["spec"]["config"] = json!({"flushInterval": "3s"});
                });
            }
        },
        done: |world| {
            let state = world.brokers.state();
            let interval = state.config.get("weir.flush.interval.ms");
            let settled = interval.is_some_and(|v| v == "3000");
            settled && !state.config.contains_key("log.retention.ms") && state.away.is_empty()
        },
    };
    flow.survives().await;
}

#[tokio::test]
async fn replicas_are_evened_out() {
    let flow = Flow {
        brokers: 4,
        begin: |world| {
            fill(world, 3);
            world.edit(CLUSTER, |c| c["spec"]["balance"] = json!("Auto"));
        },
        meanwhile: nothing,
        done: |world| held(world, 4).iter().all(|n| (8..=10).contains(n)),
    };
    flow.survives().await;
}

#[tokio::test]
async fn a_broker_leaves_and_its_claim_stays() {
    let flow = Flow {
        brokers: 5,
        begin: |world| {
            fill(world, 5);
            world.edit(CLUSTER, |c| {
                c["spec"]["storage"]["whenScaled"] = json!("Retain")
            });
            set_replicas(world, 4);
        },
        meanwhile: nothing,
        done: |world| {
            brokers_of_set(world) == 4
                && claims(world) == ["0", "1", "2", "3", "4"]
                && world.brokers.state().known.len() == 4
                && held(world, 4) == [9, 9, 9, 9]
        },
    };
    flow.survives().await;
}

fn secrets(world: &World) -> Vec<String> {
    let paths = world.api.paths().into_iter();
    paths.filter(|p| p.contains("/secrets/")).collect()
}

/// The broker's and the operator's certificates are of the authority that is there.
fn of_one_authority(world: &World) -> bool {
    let authority = |path: &String| {
        let secret = world.api.get(path).unwrap_or_default();
        secret["data"]["ca.crt"].as_str().map(str::to_owned)
    };
    let all = secrets(world);
    let mut known: Vec<_> = all.iter().map(authority).collect();
    known.dedup();
    all.len() == 3 && known.len() == 1 && known[0].is_some()
}

#[tokio::test]
async fn lost_certificates_are_made_anew_and_belong_together() {
    let flow = Flow {
        brokers: 3,
        begin: |world| {
            fill(world, 3);
            assert!(of_one_authority(world), "{:?}", secrets(world));
            for path in secrets(world) {
                world.api.remove(&path);
            }
        },
        meanwhile: nothing,
        done: of_one_authority,
    };
    flow.survives().await;
}
