"""librdkafka as Debian ships it, by kcat."""

import json
import time

import pytest
from conftest import kcat

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def lines(count):
    return "".join(f"k{i % 7}:value {i} of a line that compresses well, well, well\n" for i in range(count))


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("acks", ["0", "1", "-1"])
def test_what_is_produced_is_consumed(bootstrap, topic, codec, acks):
    sent = lines(300)
    kcat(bootstrap, "-P", "-t", topic, "-K:", "-z", codec, "-X", f"acks={acks}", stdin=sent)
    if acks == "0":   # nobody waited for the broker
        time.sleep(0.5)
    got = kcat(bootstrap, "-C", "-t", topic, "-K:", "-e", "-q", "-o", "beginning")
    assert sorted(got.splitlines()) == sorted(sent.splitlines())


def test_metadata_lists_the_topic(bootstrap, topic):
    kcat(bootstrap, "-P", "-t", topic, stdin="one\n")
    listed = json.loads(kcat(bootstrap, "-L", "-J"))
    found = [one for one in listed["topics"] if one["topic"] == topic]
    assert found and found[0]["partitions"][0]["leader"] == listed["brokers"][0]["id"]


def test_headers_keys_and_empty_values_come_back(bootstrap, topic):
    kcat(bootstrap, "-P", "-t", topic, "-K:", "-Z", "-H", "a=1", "-H", "b=2", stdin="k:\n")
    got = json.loads(kcat(bootstrap, "-C", "-t", topic, "-e", "-q", "-J", "-o", "beginning"))
    assert got["headers"] == ["a", "1", "b", "2"] and got["key"] == "k" and got["payload"] is None


def test_an_idempotent_producer_writes_each_line_once(bootstrap, topic):
    sent = lines(1000)
    kcat(bootstrap, "-P", "-t", topic, "-K:", "-X", "enable.idempotence=true", stdin=sent)
    got = kcat(bootstrap, "-C", "-t", topic, "-K:", "-e", "-q", "-o", "beginning")
    assert got == sent


def test_offsets_are_found_by_time(bootstrap, topic):
    kcat(bootstrap, "-P", "-t", topic, stdin="before\n")
    time.sleep(0.05)
    between = int(time.time() * 1000)
    time.sleep(0.05)
    kcat(bootstrap, "-P", "-t", topic, stdin="after\n")
    assert kcat(bootstrap, "-Q", "-t", f"{topic}:0:{between}").strip().endswith("offset 1")
    got = kcat(bootstrap, "-C", "-t", topic, "-e", "-q", "-o", f"s@{between}")
    assert got == "after\n"


def test_a_group_reads_everything_and_goes_on_where_it_stopped(bootstrap, topic, group):
    kcat(bootstrap, "-P", "-t", topic, stdin=lines(50))
    settings = ("-X", "auto.offset.reset=earliest", "-X", "session.timeout.ms=6000")
    first = kcat(bootstrap, "-G", group, topic, "-e", "-q", *settings)
    assert len(first.splitlines()) == 50
    kcat(bootstrap, "-P", "-t", topic, stdin="later\n")
    assert kcat(bootstrap, "-G", group, topic, "-e", "-q", *settings) == "later\n"
