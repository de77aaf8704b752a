//! The two programs as a shell starts them: what they answer where there is no cluster.

use std::process::{Command, Output};

fn run(program: &str, words: &[&str]) -> Output {
    let mut command = Command::new(program);
    // Whoever runs the tests may have a cluster; this is not about theirs.
    command
        .args(words)
        .env("KUBECONFIG", "/nonexistent")
        .env_remove("WEIR_SERVER");
    command.output().expect("the program starts")
}

const BOTH: [&str; 2] = [
    env!("CARGO_BIN_EXE_weir"),
    env!("CARGO_BIN_EXE_kubectl-weir"),
];

#[test]
fn every_command_is_in_the_help() {
    for program in BOTH {
        let out = run(program, &["--help"]);
        assert!(out.status.success());
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        for command in [
            "status", "topics", "groups", "produce", "consume", "scaler", "export", "release",
            "restart",
        ] {
            assert!(
                text.contains(&format!("\n  {command} ")),
                "{command} in {text}"
            );
        }
    }
}

#[test]
fn a_server_that_is_not_there_is_one_line_and_a_failure() {
    // Nobody listens on port 1 of loopback.
    let out = run(BOTH[0], &["--server", "127.0.0.1:1", "status"]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(1), "{said}");
    assert!(
        said.starts_with("weir: no broker answers: 127.0.0.1:1"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(out.stdout.is_empty());
}

#[test]
fn a_restart_needs_a_cluster_on_kubernetes() {
    let out = run(BOTH[0], &["--server", "127.0.0.1:1", "restart"]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(1), "{said}");
    assert!(said.contains("only brokers on Kubernetes"), "{said}");
}
