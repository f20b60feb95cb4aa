"""Sends every kind of DogStatsD message with Datadog's own client, as an application would: buffered, all defaults.

Usage: dogstatsd_all.py udp PORT | unix PATH
"""
import sys

from datadog.dogstatsd.base import DogStatsd


def main() -> None:
    way, where = sys.argv[1:]
    address = {"host": "127.0.0.1", "port": int(where)} if way == "udp" else {"socket_path": where}
    client = DogStatsd(
        **address, disable_buffering=False, flush_interval=0.2, constant_tags=["site:lab"], disable_telemetry=True
    )
    for value in (1, 2, 3.5):
        client.increment("dsd.count", value, tags=["rack:7"])
    client.decrement("dsd.count", 0.5, tags=["rack:7"])
    client.gauge("dsd.gauge", 21)
    client.gauge("dsd.gauge", -7.25)
    for value in (1, 2, 3, 4, 5):
        client.histogram("dsd.histogram", value)
        client.timing("dsd.timing", value * 100)
        client.distribution("dsd.distribution", value)
    for value in ("ann", "bob", "ann"):
        client.set("dsd.set", value)
    client.gauge_with_timestamp("dsd.past", 4, 1_700_000_000)
    client.event("A title", "two\nlines, ümlaut", alert_type="warning", aggregation_key="k", priority="low",
                 source_type_name="tests", tags=["room:shed"])
    client.service_check("dsd.check", DogStatsd.CRITICAL, tags=["room:shed"], message="stuck", hostname="pi")
    client.flush()
    client.stop()
    if client.packets_dropped_writer or client.packets_dropped_queue:
        sys.exit("the client dropped something")


if __name__ == "__main__":
    main()
