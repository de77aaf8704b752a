//! How large a status can become.

use serde_json::json;

/// Fifty brokers, every list full, every message as long as it may be, names of usual length.
#[test]
fn the_largest_status_stays_under_32_kib() {
    let long = |length: usize| "x".repeat(length);
    let moment = "2026-01-01T00:00:00Z";
    let progress = json!({"partitionsDone": 199_999, "partitionsTotal": 200_000, "bytesDone": i64::MAX, "bytesTotal": i64::MAX});
    let broker = |id: usize| {
        json!({
            "id": id, "pod": long(52), "node": long(63), "state": "Unreachable", "rack": long(63),
            "version": "10.10.10", "updated": true, "replicas": 100_000, "outOfSync": 100_000,
        })
    };
    let condition = |type_: &str| {
        json!({
            "type": type_, "status": "Unknown", "reason": long(30), "message": long(1024),
            "lastTransitionTime": moment, "observedGeneration": 1_000_000,
        })
    };
    let conditions = ["Ready", "Reconciling", "Stalled"].map(condition);
    let status = json!({
        "conditions": conditions,
        "clusterId": long(36), "version": "10.10.10", "selector": long(200),
        "listeners": vec![json!({"name": long(12), "type": "LoadBalancer", "bootstrap": long(80)}); 8],
        "brokers": (0..50).map(broker).collect::<Vec<_>>(),
        "roll": {"broker": 49, "podUid": long(36), "since": moment, "message": long(800),
            "leadersAway": true, "leadersAwaySince": moment,
            "others": vec![json!({"broker": 48, "podUid": long(36), "leadersAway": true, "leadersAwaySince": moment}); 2]},
        "scaling": {"from": 50, "to": 1, "broker": 49, "phase": "Cancelling", "since": moment,
            "progress": progress, "message": long(800)},
        "balance": {"task": "Leaders", "state": "Proposed", "since": moment, "progress": progress,
            "message": long(800), "examples": vec![long(300); 10]},
        "leadersAway": vec![json!({"broker": 49, "podUid": long(36), "node": long(63), "asked": true}); 10],
        "lost": vec![json!({"broker": 49, "node": long(63), "since": moment, "message": long(100)}); 10],
        "configKeys": vec![long(40); 32], "configMark": long(16),
        "drift": {"at": moment, "count": i64::MAX, "message": long(256)},
    });
    let typed: weir_crds::QueueClusterStatus = serde_json::from_value(status).expect("a status");
    let text = serde_json::to_string(&typed).expect("JSON");
    assert!(text.len() < 32 << 10, "{} bytes", text.len());
}
