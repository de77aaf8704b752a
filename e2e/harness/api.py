"""Reads of the API server over a connection that stays open. A kubectl for each costs a tenth of a second of
processor time, several times a second while something is awaited, and the brokers under load on the same
machine feel that in their pauses."""

import base64
import http.client
import json
import ssl
import tempfile
import threading
from urllib.parse import quote, urlencode, urlsplit

from .base import Failed

PATIENCE = 30


class Unreadable(Exception):
    """Not answered, or not as asked: kubectl is to say what the matter is."""


class Reader:
    """Gets and lists, by the words that kubectl knows resources by. For credentials in the kubeconfig itself."""

    def __init__(self, config):
        try:
            cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
            self._server = urlsplit(cluster["server"])
            self._tls = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
            self._headers = {"Accept": "application/json"}
            if "token" in user:
                self._headers["Authorization"] = f"Bearer {user['token']}"
            else:
                with tempfile.NamedTemporaryFile(suffix=".pem") as both:
                    both.write(base64.b64decode(user["client-certificate-data"]) + b"\n" + base64.b64decode(user["client-key-data"]))
                    both.flush()
                    self._tls.load_cert_chain(both.name)
        except (KeyError, IndexError, TypeError, OSError, ValueError) as error:
            raise Unreadable(f"other credentials: {error}") from error
        self._local = threading.local()
        self._known = {}

    def _get(self, path):
        """Status and document."""
        for attempt in (0, 1):
            connection = getattr(self._local, "connection", None)
            if connection is None:
                connection = http.client.HTTPSConnection(self._server.hostname, self._server.port or 443, timeout=PATIENCE, context=self._tls)
                self._local.connection = connection
            try:
                connection.request("GET", self._server.path + path, headers=self._headers)
                answer = connection.getresponse()
                return answer.status, json.loads(answer.read())
            except (OSError, http.client.HTTPException, ValueError) as error:
                # One that the server closed meanwhile is opened anew.
                connection.close()
                self._local.connection = None
                if attempt:
                    raise Unreadable(str(error)) from error
        raise Unreadable(path)

    def _ok(self, path):
        status, document = self._get(path)
        if status != 200:
            raise Unreadable(f"{path}: {status}")
        return document

    def _learn(self):
        groups = [f"/apis/{group['preferredVersion']['groupVersion']}" for group in self._ok("/apis")["groups"]]
        found = {}
        for prefix in ["/api/v1", *groups]:
            for one in self._ok(prefix)["resources"]:
                if "/" not in one["name"]:
                    for word in (one["name"], one["singularName"], one["kind"].lower(), *one.get("shortNames", [])):
                        found.setdefault(word, (prefix, one["name"], one["namespaced"]))
        self._known = found

    def _path(self, kind, namespace):
        if kind not in self._known:
            self._learn()
        if kind not in self._known:
            raise Unreadable(f"no resource {kind}")
        prefix, plural, namespaced = self._known[kind]
        return f"{prefix}/namespaces/{namespace}/{plural}" if namespaced and namespace else f"{prefix}/{plural}"

    def find(self, kind, name, namespace):
        """None: there is none."""
        status, document = self._get(f"{self._path(kind, namespace)}/{quote(name)}")
        if status not in (200, 404):
            raise Unreadable(f"{kind} {name}: {status}")
        return document if status == 200 else None

    def get(self, kind, name, namespace):
        found = self.find(kind, name, namespace)
        if found is None:
            raise Failed(f"{kind} {name} not found in {namespace}")
        return found

    def list(self, kind, namespace, selector):
        query = "?" + urlencode({"labelSelector": selector}) if selector else ""
        found = self._ok(self._path(kind, namespace) + query)
        same = {"apiVersion": found["apiVersion"], "kind": found["kind"].removesuffix("List")}
        return [same | item for item in found["items"]]
