//! Clusters with replicas in them, and what is looked at in the tests of them.

use serde_json::json;

use super::{CLAIMS, CLUSTER, SET, World};

/// Twelve partitions on three replicas each, over the first `brokers`.
pub fn fill(world: &World, brokers: i32) {
    let mut state = world.brokers.state();
    for index in 0..12 {
        let on = |n: i32| (index + n) % brokers;
        let factor = brokers.min(3);
        let replicas: Vec<i32> = (0..factor).map(on).collect();
        state.place("orders", index, &replicas);
    }
}

pub fn set_replicas(world: &World, replicas: i32) {
    world.edit(CLUSTER, |c| c["spec"]["replicas"] = json!(replicas));
}

pub fn brokers_of_set(world: &World) -> i64 {
    let set = world.api.get(SET).expect("it exists");
    set["spec"]["replicas"].as_i64().expect("a number")
}

pub fn held(world: &World, brokers: i32) -> Vec<u32> {
    let state = world.brokers.state();
    (0..brokers).map(|b| state.held_by(b)).collect()
}

pub fn claims(world: &World) -> Vec<String> {
    let name = |path: String| {
        path.strip_prefix(&format!("{CLAIMS}/data-demo-default-"))
            .map(str::to_owned)
    };
    world.api.paths().into_iter().filter_map(name).collect()
}

pub fn status(world: &World) -> serde_json::Value {
    world.api.get(CLUSTER).expect("it exists")["status"].clone()
}

pub fn nothing(_: &World, _: usize) {}
