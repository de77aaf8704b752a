//! A ConsumerScaler on its way down, to zero and from zero, run again with the operator killed after
//! every single write.

use crate::support::scene::{Scene, TARGET, busy, group};
use serde_json::json;
use weir_proto::admin as pb;

/// Looks that any way may take.
const LOOKS: u32 = 600;

/// A target goes from one count to another.
struct Way {
    from: u32,
    to: i64,
    /// What brokers report of so many members after so many looks.
    report: fn(u32, u32) -> pb::GroupBacklog,
}

impl Way {
    /// Runs it with the operator killed after its first write, its second, and so on; how many
    /// writes there are.
    async fn survives(&self) -> usize {
        let mut writes = 0;
        while self.run(writes).await {
            writes += 1;
        }
        writes
    }

    /// One run; whether the operator was killed in it.
    async fn run(&self, writes: usize) -> bool {
        let mut scene = Scene::new(self.from, |s| s["minReplicas"] = json!(self.least())).await;
        scene.restart(Some(writes));
        let _ = scene.reconcile().await;
        let mut seen = vec![scene.replicas()];
        self.walk(&scene, &mut seen).await;
        let killed = scene.front.is_dead();
        scene.restart(None);
        scene.settle().await;
        self.walk(&scene, &mut seen).await;
        assert_eq!(scene.replicas(), self.to, "killed after {writes}: {seen:?}");
        // It stays there, and nothing more is written once that is said.
        for _ in 0..3 {
            assert!(self.look(&scene).await);
        }
        assert_eq!(scene.replicas(), self.to, "killed after {writes}");
        let made = scene.writes();
        let scaled = made.iter().filter(|w| w.contains(TARGET)).count();
        seen.dedup();
        assert_eq!(scaled, seen.len() - 1, "killed after {writes}: {made:?}");
        let down = self.to < i64::from(self.from);
        let straight = seen.windows(2).all(|w| (w[1] < w[0]) == down);
        assert!(straight, "killed after {writes}: {seen:?}");
        killed
    }

    fn least(&self) -> i64 {
        self.to.min(i64::from(self.from))
    }

    async fn walk(&self, scene: &Scene, seen: &mut Vec<i64>) {
        for _ in 0..LOOKS {
            if scene.replicas() == self.to || scene.front.is_dead() {
                return;
            }
            self.look(scene).await;
            seen.push(scene.replicas());
        }
    }

    async fn look(&self, scene: &Scene) -> bool {
        let members = u32::try_from(scene.replicas()).expect("few");
        let members = members.min(self.from);
        scene.look((self.report)(members, scene.looks.get())).await
    }
}

#[tokio::test]
async fn on_its_way_down_a_target_is_never_scaled_up() {
    let way = Way {
        from: 4,
        to: 2,
        report: |members, looks| busy(members, 0, looks),
    };
    assert!(way.survives().await > 2);
}

#[tokio::test]
async fn a_target_without_work_goes_to_zero_once() {
    let way = Way {
        from: 1,
        to: 0,
        report: |members, _| group(members, 0),
    };
    assert!(way.survives().await > 1);
}

#[tokio::test]
async fn a_first_message_wakes_a_target_once() {
    let way = Way {
        from: 0,
        to: 1,
        report: |_, _| {
            let mut one = group(0, 0);
            one.partitions[5].end += 1;
            one.partitions[5].backlog = 1;
            one
        },
    };
    assert!(way.survives().await > 1);
}
