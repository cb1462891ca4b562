"""What must hold whichever proxy asks Claviger before it lets a request through to the service behind it."""

import http.client
import json
import shutil

from harness import Server, Upstream, free_port, is_listening, temporary_folder

READ_AUDITS = {"org.audits": ["READ"]}
# Clients come from here; the proxy itself reaches Claviger from 127.0.0.1.
HERE, ELSEWHERE = "127.0.0.2", "127.0.0.3"


class ProxyCases:
    """To be mixed into a test case that has an `engine`, a `configure`, and the members below."""

    # The statuses of a request over its limit, and of one that nobody could be asked about.
    rate_limited = None
    unreachable = None
    # What stands for the listening address in the example.
    listens_on = None

    @classmethod
    def setUpClass(cls):
        cls.server = Server(cls.engine)
        cls.addClassCleanup(cls.server.close)
        cls.upstream = Upstream()
        cls.addClassCleanup(cls.upstream.close)
        cls.port = cls.start_proxy(cls.server.port, cls.server.ca_file)

    @classmethod
    def start_proxy(cls, claviger_port, ca_file):
        """Starts the proxy from its example and returns the port that it listens on."""
        folder = temporary_folder("proxy")
        cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        port = free_port()
        process = cls.configure(
            folder,
            listen=(cls.listens_on, cls.listens_on.replace("8080", str(port))),
            claviger=("127.0.0.1:8443", f"127.0.0.1:{claviger_port}"),
            service=("127.0.0.1:9000", f"127.0.0.1:{cls.upstream.port}"),
            ca_file=("/etc/claviger/ca.pem", ca_file),
        )
        cls.addClassCleanup(process.stop)
        process.wait_for(lambda: is_listening(port), "listening")
        return port

    def setUp(self):
        self.organization = self.server.organization()
        self.upstream.seen.clear()

    def ask(self, headers=None, method="GET", path="/report?day=1", body=None, source=HERE, port=None):
        """One request through the proxy: status, headers and the upstream's view when it got that far."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", port or self.port, timeout=30, source_address=(source, 0)
        )
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            text = answer.read().decode()
            return answer.status, answer.headers, json.loads(text) if answer.status == 200 else text
        finally:
            connection.close()

    def refused(self, status, headers=None, **arguments):
        """One request that must not reach the service; returns the answer's headers."""
        before = len(self.upstream.seen)
        got, answer, text = self.ask(headers, **arguments)
        self.assertEqual(got, status, text)
        self.assertEqual(len(self.upstream.seen), before, "a refused request reached the service")
        return answer

    def passed(self, headers, **arguments):
        """One request that must reach the service; returns what the service saw."""
        got, _, seen = self.ask(headers, **arguments)
        self.assertEqual(got, 200, seen)
        return seen

    def test_right_secret_passes_and_the_service_learns_who_called(self):
        application = self.organization.application(READ_AUDITS)
        for spelling in ({"X-Auth-Token": application.token}, {"Authorization": application.basic}):
            seen = self.passed(spelling)
            self.assertEqual((seen["method"], seen["path"]), ("GET", "/report?day=1"))
            self.assertEqual(seen["headers"]["x-claviger-tenant"], self.organization.id)
            self.assertEqual(seen["headers"]["x-claviger-application"], application.id)
            self.assertNotIn(application.secret, json.dumps(seen))
            self.assertNotIn(application.basic, json.dumps(seen))

    def test_ids_that_a_client_brings_are_replaced(self):
        application = self.organization.application(READ_AUDITS)
        forged = {"X-Claviger-Tenant": "forged", "X-Claviger-Application": "forged", "x-claviger-tenant": "forged"}
        seen = self.passed({"X-Auth-Token": application.token, **forged})
        self.assertNotIn("forged", json.dumps(seen))
        self.assertEqual(seen["headers"]["x-claviger-application"], application.id)

    def test_body_reaches_the_service_whole(self):
        application = self.organization.application(READ_AUDITS)
        body = "0123456789abcdef" * 8192
        for _ in range(3):
            seen = self.passed({"X-Auth-Token": application.token}, method="POST", path="/upload", body=body)
            self.assertEqual((seen["method"], seen["body"] == body), ("POST", True))

    def test_strangers_get_401(self):
        application = self.organization.application(READ_AUDITS)
        other = self.organization.application(READ_AUDITS)
        wrong = [
            None,
            {"X-Auth-Token": "garbage"},
            {"X-Auth-Token": f"{application.secret}x/{application.client_id}"},
            {"X-Auth-Token": f"{application.secret}/{other.client_id}"},
            {"Authorization": "Bearer garbage"},
            {"Authorization": "Basic garbage"},
        ]
        for headers in wrong:
            with self.subTest(headers=headers):
                answer = self.refused(401, headers)
                self.assertIsNotNone(answer["WWW-Authenticate"])
        # A secret belongs into a header: in the address it would be logged by everything on the way.
        self.refused(401, path=f"/report?x-auth-token={application.token}")

    def test_missing_permission_gets_403(self):
        self.refused(403, {"X-Auth-Token": self.organization.application({"jobs.status": ["READ"]}).token})

    def test_revoked_secret_is_refused_at_once(self):
        for kill in ("revoke_secret", "regenerated"):
            application = self.organization.application(READ_AUDITS)
            headers = {"X-Auth-Token": application.token}
            for _ in range(3):
                self.passed(headers)
            successor = getattr(application, kill)()
            self.refused(401, headers)
            if successor:
                self.passed({"X-Auth-Token": successor.token})

    def test_rate_limit_is_told_and_ends_no_other_application(self):
        limited = self.organization.application(READ_AUDITS, rate_limit={"requests": 2, "window_seconds": 3600})
        headers = {"X-Auth-Token": limited.token}
        for _ in range(2):
            self.passed(headers)
        for _ in range(3):
            answer = self.refused(self.rate_limited, headers)
            self.assertGreater(int(answer["Retry-After"]), 0)
            self.assertTrue(answer["X-Claviger-Reason"])
        self.passed({"X-Auth-Token": self.organization.application(READ_AUDITS).token})

    def test_client_address_is_the_one_that_the_proxy_saw(self):
        bound = self.organization.application(READ_AUDITS, allowed_networks=[f"{HERE}/32"])
        headers = {"X-Auth-Token": bound.token}
        self.passed(headers, source=HERE)
        self.refused(401, headers, source=ELSEWHERE)
        # An allowed address that a client claims, in every spelling, one at a time and all at once.
        claims = {
            "X-Forwarded-For": HERE,
            "X-Real-IP": HERE,
            "Forwarded": f"for={HERE}",
            "True-Client-IP": HERE,
            "CF-Connecting-IP": HERE,
            "X-Client-IP": HERE,
        }
        for name, value in claims.items():
            with self.subTest(claim=name):
                self.refused(401, {**headers, name: value}, source=ELSEWHERE)
        self.refused(401, {**headers, **claims}, source=ELSEWHERE)
        # Nor does a claimed address shut out who calls from the right place.
        self.passed({**headers, "X-Forwarded-For": "192.0.2.7", "Forwarded": "for=192.0.2.7"}, source=HERE)
        nobody = self.organization.application(READ_AUDITS, allowed_networks=[])
        self.refused(401, {"X-Auth-Token": nobody.token})

    def test_many_requests_over_kept_connections(self):
        application = self.organization.application(READ_AUDITS)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        self.addCleanup(connection.close)
        for number in range(300):
            connection.request("GET", f"/{number}", headers={"X-Auth-Token": application.token})
            answer = connection.getresponse()
            text = answer.read().decode()
            self.assertEqual(answer.status, 200, f"request {number}: {text}")

    def test_nothing_passes_while_claviger_is_unreachable(self):
        application = self.organization.application(READ_AUDITS)
        port = self.start_proxy(free_port(), self.server.ca_file)
        self.refused(self.unreachable, {"X-Auth-Token": application.token}, port=port)

    def test_nothing_passes_to_an_impostor(self):
        # With another certificate authority configured, the proxy does not believe that this is Claviger.
        stranger = Server("Sqlite")
        self.addCleanup(stranger.close)
        application = self.organization.application(READ_AUDITS)
        port = self.start_proxy(self.server.port, stranger.ca_file)
        self.refused(self.unreachable, {"X-Auth-Token": application.token}, port=port)
