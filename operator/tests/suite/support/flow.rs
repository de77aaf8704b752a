//! Flows that must come to their end though the operator is killed after any of its writes.

use std::collections::BTreeMap;

use serde_json::Value;

use super::placement::{Placed, State};
use super::{CLAIMS, CLUSTER, PODS, SET, World};

/// Rounds that any flow may take.
const ROUNDS: usize = 150;

/// What happens to a cluster, and how it is when all is done.
pub struct Flow {
    pub brokers: i32,
    /// Once, when the cluster serves.
    pub begin: fn(&World),
    /// Before each reconcile, with its number: what people and the world do meanwhile.
    pub meanwhile: fn(&World, usize),
    pub done: fn(&World) -> bool,
}

impl Flow {
    /// Runs it undisturbed, then again and again, killing the operator after its first write, its
    /// second, and so on to the last. Gives the number of writes.
    pub async fn survives(&self) -> i64 {
        self.survives_from(true).await
    }

    /// The same of a cluster that is declared, and of which nothing is there.
    pub async fn survives_from_nothing(&self) -> i64 {
        self.survives_from(false).await
    }

    async fn survives_from(&self, serving: bool) -> i64 {
        let writes = self.run(serving, i64::MAX).await;
        assert!(writes > 3, "a flow that does nothing");
        for kill_after in 1..=writes {
            self.run(serving, kill_after).await;
        }
        writes
    }

    /// One run; how many writes it took.
    async fn run(&self, serving: bool, kill_after: i64) -> i64 {
        let world = match serving {
            true => World::serving(self.brokers).await,
            false => World::with_cluster(self.brokers),
        };
        world.guard();
        (self.begin)(&world);
        world.fuse.arm(kill_after);
        let mut writes = 0;
        for round in 0..ROUNDS {
            (self.meanwhile)(&world, round);
            let before = world.fuse.left();
            let outcome = world.cluster().await;
            writes += before - world.fuse.left();
            if world.fuse.is_blown() {
                world.fuse.replace();
            } else if let Err(error) = outcome {
                panic!("round {round}, killed after {kill_after}: {error}");
            }
            world.kubelets();
            world.brokers.state().settle();
            if round > 12 && (self.done)(&world) && world.reason(CLUSTER) == "Ready" {
                self.check(&world, kill_after).await;
                return writes;
            }
        }
        let status = &world.api.get(CLUSTER).expect("it exists")["status"];
        panic!("not done, killed after {kill_after}: {status:#}");
    }

    async fn check(&self, world: &World, kill_after: i64) {
        let wrong = world.api.violations();
        assert_eq!(wrong, Vec::<String>::new(), "killed after {kill_after}");
        let calls = world.brokers.take_calls();
        let formed = calls.iter().filter(|c| c.starts_with("form by"));
        assert!(formed.count() <= 1, "killed after {kill_after}: {calls:?}");
        // What follows from the last step may still be written; then nothing more.
        world.cluster().await.expect("reconciles");
        world.kubelets();
        world.api.take_writes();
        world.brokers.take_calls();
        for _ in 0..3 {
            world.cluster().await.expect("reconciles");
        }
        let idle = (world.api.take_writes(), world.brokers.take_calls());
        assert_eq!(idle, (Vec::new(), Vec::new()), "killed after {kill_after}");
    }
}

impl World {
    /// Notes every write that no cluster must ever see.
    pub fn guard(&self) {
        let brokers = self.brokers.clone();
        self.api.watch_over(move |write, objects| {
            let (verb, path) = write.split_once(' ')?;
            let ordinal = weir_operator::names::ordinal(path)?;
            if verb == "delete" && path.starts_with(CLAIMS) {
                return live_claim(ordinal, objects, brokers.state().known.contains(&ordinal));
            }
            if (verb == "delete" || verb == "evict") && path.starts_with(PODS) {
                return second_pod(ordinal, objects, &brokers.state());
            }
            None
        });
    }
}

fn live_claim(ordinal: i32, objects: &BTreeMap<String, Value>, registered: bool) -> Option<String> {
    let wanted = objects
        .get(SET)
        .and_then(|s| s["spec"]["replicas"].as_i64());
    if objects.contains_key(&format!("{PODS}/demo-default-{ordinal}")) {
        return Some("its pod is there".to_owned());
    }
    if wanted.is_none_or(|n| n > i64::from(ordinal)) {
        return Some("its pod comes back".to_owned());
    }
    registered.then(|| "its broker is registered".to_owned())
}

/// A pod goes while another is away; of one rack two may, where that was asked for and every
/// partition keeps its min ISR.
fn second_pod(ordinal: i32, objects: &BTreeMap<String, Value>, state: &State) -> Option<String> {
    let wanted = objects
        .get(SET)
        .and_then(|s| s["spec"]["replicas"].as_i64());
    let ready = |n: &i32| {
        let pod = objects.get(&format!("{PODS}/demo-default-{n}"));
        pod.is_some_and(|p| p["status"]["conditions"][0]["status"] == "True")
    };
    let all = 0..i32::try_from(wanted.unwrap_or(0)).expect("few");
    let others: Vec<i32> = all.filter(|n| *n != ordinal && !ready(n)).collect();
    let other = others.first()?;
    let by_rack = |c: &Value| c["spec"]["roll"]["atOnce"] == "Rack";
    if !objects.get(CLUSTER).is_some_and(by_rack) {
        return Some(format!("pod {other} is away too"));
    }
    let rack = |n: &i32| state.racks.get(n);
    if others.iter().any(|n| rack(n) != rack(&ordinal)) {
        return Some(format!("pod {other} of another rack is away too"));
    }
    if others.len() > 1 {
        return Some(format!("{} pods are away already", others.len()));
    }
    let away = |n: &i32| *n == ordinal || others.contains(n);
    let short = |p: &Placed| {
        let left = p.replicas.iter().filter(|n| !away(n)).count();
        p.replicas.iter().any(away) && left < p.min_isr as usize
    };
    let short = state.replicas.iter().find(|(_, p)| short(p));
    short.map(|(id, _)| format!("{id:?} falls below its min ISR"))
}
