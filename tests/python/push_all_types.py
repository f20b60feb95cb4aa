"""Pushes metrics of all five types with the real client, as an application would.

Usage: push_all_types.py SECONDS, the start of a bucket that is over.
The client takes Redis' address from REDIS_HOST and REDIS_PORT.
"""
import sys

from chouette_iot_client import ChouetteClient, timed

TAGS = {"site": "lab", "rack": 7, "spare": True}


def main() -> None:
    start = float(sys.argv[1])
    futures = []

    def push(send, metric, values):
        for number, value in enumerate(values):
            at = start + 0.25 + number / 8
            futures.append(send(metric, value, timestamp=at, tags=TAGS))

    push(ChouetteClient.count, "py.count", [1, 2, 3.5])
    push(ChouetteClient.gauge, "py.gauge", [21, -7.25])
    push(ChouetteClient.rate, "py.rate", [10, 20])
    push(ChouetteClient.set, "py.set", [["a", "b"], {"b", "c"}, [1, 1.0]])
    push(ChouetteClient.histogram, "py.histogram", [1, 2, 3, 4, 5])
    # As most applications do it: the client's own clock and no tags.
    futures.append(ChouetteClient.count("py.live", 4))
    keys = [future.result(timeout=30) for future in futures]

    with timed("py.timed"):
        pass
    for executor in ChouetteClient.executors.values():
        executor.shutdown(wait=True)
    if None in keys:
        sys.exit("the client could not store a metric")


if __name__ == "__main__":
    main()
