"""What the wire tests share: the real server on an engine, an operator's client for its native API, a service to be
protected, and how processes are started and ended. Everything listens on loopback; everything is ended by its pid."""

import base64
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parents[4]
BINARY = os.environ.get("CLAVIGER_BIN", str(ROOT / "target/debug/claviger"))
POSTGRES = os.environ.get("CLAVIGER_TEST_POSTGRES")
# The long form is asked for by `make test-long`.
LONG = os.environ.get("CLAVIGER_TEST_LONG") == "1"
START_SECONDS = 60
STOP_SECONDS = 15


def on_every_engine(module, cases):
    """Puts one test case per engine into the module (its `globals()`) for a class of cases with an `engine`."""
    for engine in ["Sqlite"] + (["Postgres"] if POSTGRES else []):
        name = f"{cases.__name__}On{engine}"
        module[name] = type(name, (cases, unittest.TestCase), {"engine": engine, "__module__": module["__name__"]})


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def temporary_folder(name):
    return Path(tempfile.mkdtemp(prefix=f"claviger-wire-{name}-"))


def eventually(condition, seconds=START_SECONDS, every=0.05):
    """The first true value of the condition, or whatever it had at the end."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(every)


def read_json(path):
    """What a file holds, or nothing while it is absent or unfinished."""
    with contextlib.suppress(OSError, ValueError):
        return json.loads(path.read_text())


def is_listening(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Process:
    """A child process with its output in a file, which a failure shows."""

    def __init__(self, name, command, folder, **environment):
        self.name = name
        self.log = folder / f"{name}.log"
        # Our own variables are the test run's business; the server would take them for its configuration.
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("CLAVIGER_")}
        with open(self.log, "ab") as output:
            self.child = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**inherited, **environment},
                cwd=folder,
            )

    def wait_for(self, condition, what):
        """Waits for the condition, and fails at once when the process ends before it."""
        eventually(lambda: self.child.poll() is not None or condition())
        if self.child.poll() is not None or not condition():
            self.stop()
            raise AssertionError(f"{self.name}: {what} did not happen (exit {self.child.poll()})\n{self.tail()}")

    def stop(self):
        """Asks it to end and returns its exit status; one that does not listen is killed."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        return self.child.returncode

    def tail(self):
        return self.log.read_text(errors="replace")[-4000:]


class Database:
    """A database of our own on the test run's PostgreSQL."""

    def __init__(self):
        self.name = f"wire_{uuid.uuid4().hex}"
        self.run(f'create database "{self.name}"')
        self.url = POSTGRES.rsplit("/", 1)[0] + "/" + self.name

    def drop(self):
        self.run(f'drop database if exists "{self.name}" with (force)')

    @staticmethod
    def run(statement):
        subprocess.run(["psql", POSTGRES, "-qXc", statement], check=True, stdin=subprocess.DEVNULL)


class Server:
    """`claviger serve` with an empty store on the given engine, and further settings."""

    def __init__(self, engine, settings=""):
        self.folder = temporary_folder("server")
        self.database = Database() if engine == "Postgres" else None
        self.port = free_port()
        credentials = self.folder / "credentials.json"
        config = self.folder / "claviger.toml"
        # The proxies under test connect from this address; clients come from others of the loopback range.
        config.write_text('trusted_proxies = ["127.0.0.1/32"]\n' + settings)
        command = [BINARY, "serve", "--listen", f"127.0.0.1:{self.port}", "--data-dir", self.folder / "data"]
        command += ["--credentials-file", credentials, "--config", config]
        if self.database:
            command += ["--database", self.database.url]
        self.process = Process("claviger", command, self.folder)
        try:
            self.process.wait_for(lambda: read_json(credentials), "writing the credentials file")
            self.process.wait_for(lambda: is_listening(self.port), "listening")
            written = read_json(credentials)
            self.url, self.ca_file = written["base_url"].rstrip("/"), written["ca_file"]
            self.operator = Client(self, written["operator"]["client_id"], written["operator"]["secret"])
            self.operator_tenant = written["operator"]["tenant_id"]
            self.process.wait_for(lambda: self.operator.call("GET", "/readyz").status_code == 200, "becoming ready")
        except BaseException:
            with contextlib.suppress(AssertionError):
                self.close()
            raise

    def close(self):
        """Ends the server, which must do so by itself and with success, and removes what it left."""
        status, output = self.process.stop(), self.process.tail()
        if self.database:
            self.database.drop()
        shutil.rmtree(self.folder, ignore_errors=True)
        assert status == 0, f"claviger ended with {status}\n{output}"

    def organization(self):
        """A new organisation directly under the operator."""
        body = {"name": f"Organisation {uuid.uuid4().hex}", "kind": "organization", "parent_id": self.operator_tenant}
        return Organization(self, self.operator.post("/v1/tenants", body))


class Client:
    """Calls to the native API with one credential."""

    def __init__(self, server, client_id, secret):
        self.server = server
        self.client_id, self.secret = client_id, secret
        self.session = requests.Session()
        # Neither a proxy nor another certificate authority may come from the environment.
        self.session.trust_env = False
        self.session.verify = server.ca_file
        self.session.headers["X-Auth-Token"] = self.token

    @property
    def token(self):
        return f"{self.secret}/{self.client_id}"

    @property
    def basic(self):
        return "Basic " + base64.b64encode(f"{self.client_id}:{self.secret}".encode()).decode()

    def call(self, method, path, **arguments):
        return self.session.request(method, self.server.url + path, timeout=30, **arguments)

    def expect(self, status, method, path, **arguments):
        answer = self.call(method, path, **arguments)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code}, not {status}: {answer.text}"
        return answer.json() if answer.content else None

    def post(self, path, body):
        return self.expect(201, "POST", path, json=body)


class Organization:
    """An organisation, acted upon by the operator."""

    def __init__(self, server, tenant):
        self.server = server
        self.id, self.org_key = tenant["id"], tenant["org_key"]
        self.path = f"/v1/tenants/{self.id}/applications"

    def application(self, grants, **members):
        """A new application with a name of its own."""
        body = {"name": f"Application {uuid.uuid4().hex}", "description": "", "grants": grants, **members}
        return Application(self, self.server.operator.post(self.path, body))


class Application(Client):
    """An application of an organisation with the secret it was made with."""

    def __init__(self, organization, made):
        application, secret = made["application"], made["secret"]
        super().__init__(organization.server, application["client_id"], secret["text"])
        self.organization = organization
        self.id, self.secret_id = application["id"], secret["id"]
        self.path = f"{organization.path}/{self.id}"

    def describe(self, text):
        """Changes the application, which leaves one entry in its tenant's audit log."""
        self.server.operator.expect(200, "PATCH", self.path, json={"description": text})

    def revoke_secret(self):
        answer = self.server.operator.call("DELETE", f"{self.path}/secrets/{self.secret_id}")
        assert answer.status_code in (200, 204), f"{answer.status_code}: {answer.text}"

    def regenerated(self):
        """The same application with a new secret; the one before is dead."""
        made = self.server.operator.expect(200, "POST", f"{self.path}/regenerate")
        return Application(
            self.organization, {"application": {"id": self.id, "client_id": self.client_id}, "secret": made["secret"]}
        )


class Upstream:
    """The service to be protected: it answers with what reached it and remembers that."""

    def __init__(self):
        self.seen = []
        seen = self.seen

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                request = {
                    "method": self.command,
                    "path": self.path,
                    "headers": {name.lower(): value for name, value in self.headers.items()},
                    "body": body.decode(),
                }
                seen.append(request)
                reply = json.dumps(request).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            do_GET = do_POST = answer

            def log_message(self, *_):
                pass

        self.listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.listener.daemon_threads = True
        self.port = self.listener.server_address[1]
        threading.Thread(target=self.listener.serve_forever, daemon=True).start()

    def close(self):
        self.listener.shutdown()
        self.listener.server_close()


def example(name, **replacements):
    """A committed example configuration with its addresses and files replaced; each must occur in it."""
    text = (ROOT / "docs/examples" / name).read_text()
    for old, new in replacements.values():
        assert old in text, f"docs/examples/{name} no longer holds {old}"
        text = text.replace(old, str(new))
    return text


def program(name):
    """The path of an installed program, also for users whose PATH leaves out the system folders."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    assert found, f"{name} is not installed: run scripts/install-test-tools"
    return found
