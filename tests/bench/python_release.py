"""Sends series as the Python version did: a body by json and zlib, a new TLS connection, a head like requests'.

    python_release.py URL CA-FILE <SERIES    one series a line
"""
import http.client
import json
import ssl
import sys
import zlib
from urllib.parse import urlsplit

HEADERS = {
    "User-Agent": "python-requests/2.31.0",
    "Accept-Encoding": "gzip, deflate",
    "Accept": "*/*",
    "Connection": "keep-alive",
    "Content-Type": "application/json",
    "Content-Encoding": "deflate",
}
MEMBERS = ("metric", "tags", "points", "type", "interval", "host")

url = urlsplit(sys.argv[1])
series = []
for line in sys.stdin:
    given = json.loads(line)
    series.append({name: given[name] for name in MEMBERS if name in given})
body = zlib.compress(json.dumps({"series": series}).encode())
context = ssl.create_default_context(cafile=sys.argv[2])
context.set_alpn_protocols(["http/1.1"])
connection = http.client.HTTPSConnection(url.hostname, url.port, context=context)
target = f"{url.path}/v1/series?api_key=0123456789abcdef0123456789abcdef"
connection.putrequest("POST", target, skip_accept_encoding=True)
for name, value in HEADERS.items():
    connection.putheader(name, value)
connection.putheader("Content-Length", str(len(body)))
# The body goes out in a segment of its own, as there.
connection.endheaders(body)
answer = connection.getresponse()
answer.read()
connection.close()
sys.exit(0 if answer.status == 202 else 1)
