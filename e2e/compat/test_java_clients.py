"""The Java clients: a program of checks, and a group that reads back what was acknowledged."""

import subprocess

from harness.java import Load, command, topic_admin


def test_every_check_of_the_java_clients(bootstrap):
    done = subprocess.run(command("dev.weir.compat.ClientCheck", bootstrap), capture_output=True, text=True, timeout=240, check=False)
    lines = done.stdout.splitlines()
    failed = [line for line in lines if not line.startswith("ok ")]
    assert done.returncode == 0 and len(lines) >= 26 and not failed, "\n".join(failed) + "\n" + done.stderr[-3000:]


def test_a_group_reads_back_every_acknowledged_record_in_order(bootstrap, topic, tmp_path):
    topic_admin(bootstrap, "create", topic, partitions=6)
    load = Load(bootstrap, topic, tmp_path)
    sent = load.produce(records=100_000, rate=50_000).result()
    assert sent["acknowledged"] == 100_000 and sent["failed"] == 0
    got = load.consume(members=3, timeout=60).result()
    assert got["good"], got
