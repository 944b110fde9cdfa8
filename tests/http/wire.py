"""HTTP without a client library's manners: requests go out exactly as written."""

import http.client
import json
import os
import socket
from urllib.parse import urlsplit


def ask(base, method, path, body=None, headers=(), chunked=False):
    """Sends one request and returns the response with its body in `text`."""
    host = urlsplit(base)
    connection = http.client.HTTPConnection(host.hostname, host.port, timeout=60)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in dict(headers).items():
            connection.putheader(name, value)
        if chunked:
            connection.putheader("Transfer-Encoding", "chunked")
            pieces = (body[i : i + 65536] for i in range(0, len(body), 65536))
            connection.endheaders(pieces, encode_chunked=True)
        else:
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
        response = connection.getresponse()
        response.text = response.read()
        return response
    finally:
        connection.close()


def ask_raw(base, request):
    """Sends bytes that no client library would, and returns the first line of the answer and its body."""
    host = urlsplit(base)
    with socket.create_connection((host.hostname, host.port), timeout=60) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.split(b"\r\n")[0].decode(), body


def call(method, path, body=None, key=os.environ.get("API_KEY"), headers=()):
    """Asks the service and returns the status and the decoded body; a body that is not bytes is sent as JSON."""
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    sent = {"Content-Type": "application/json", **dict(headers)}
    if key is not None:
        sent["Authorization"] = f"Bearer {key}"
    response = ask(os.environ["BASE_URL"], method, path, body, sent)
    return response.status, json.loads(response.text) if response.text else None
