"""OAuth clients that were not made for Claviger: Authlib (Python) and openid-client (JavaScript), unchanged."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.jwk import KeySet

from harness import Server, on_every_engine

GRANTS = {"org.audits": ["READ"], "applications": ["READ", "UPDATE"]}
HERE = Path(__file__).parent


class OAuthClients:
    @classmethod
    def setUpClass(cls):
        cls.server = Server(cls.engine)
        cls.addClassCleanup(cls.server.close)
        well_known = "/.well-known/oauth-authorization-server"
        cls.metadata = cls.server.operator.expect(200, "GET", well_known)

    def setUp(self):
        self.organization = self.server.organization()
        self.application = self.organization.application(GRANTS)

    # Authlib.

    def session(self, application=None, method="client_secret_basic", **arguments):
        application = application or self.application
        session = OAuth2Session(
            application.client_id, application.secret, token_endpoint_auth_method=method, **arguments
        )
        self.addCleanup(session.close)
        session.trust_env = False
        session.verify = self.server.ca_file
        return session

    def fetch(self, session, **arguments):
        return session.fetch_token(self.metadata["token_endpoint"], grant_type="client_credentials", **arguments)

    def whoami(self, session):
        return session.get(self.server.url + "/v1/whoami", timeout=30)

    def test_authlib_exchanges_and_calls(self):
        for method in ("client_secret_basic", "client_secret_post"):
            with self.subTest(method):
                session = self.session(method=method)
                token = self.fetch(session)
                self.assertEqual(token["token_type"], "Bearer")
                self.assertEqual(set(token["scope"].split()), {"org.audits:READ", "applications:READ", "applications:UPDATE"})
                self.assertFalse(session.token.is_expired())
                self.assertEqual(self.whoami(session).json()["application_id"], self.application.id)

    def test_authlib_narrows_the_scope(self):
        session = self.session(scope="org.audits:READ")
        self.assertEqual(self.fetch(session)["scope"], "org.audits:READ")
        self.assertEqual(self.whoami(session).json()["grants"], {"org.audits": ["READ"]})
        self.assertEqual(session.get(self.server.url + self.organization.path, timeout=30).status_code, 403)
        with self.assertRaises(OAuthError) as wider:
            self.fetch(self.session(scope="org.alerts:READ"))
        self.assertEqual(wider.exception.error, "invalid_scope")

    def test_authlib_reads_the_reason_of_a_refusal(self):
        wrong = self.session()
        wrong.client_secret = self.organization.application(GRANTS).secret
        with self.assertRaises(OAuthError) as refused:
            self.fetch(wrong)
        self.assertEqual(refused.exception.error, "invalid_client")

    def test_authlib_introspects_and_revokes(self):
        session = self.session()
        text = self.fetch(session)["access_token"]
        inspect = lambda: session.introspect_token(
            self.metadata["introspection_endpoint"], token=text, token_type_hint="access_token"
        ).json()
        found = inspect()
        self.assertTrue(found["active"])
        self.assertEqual(found["client_id"], self.application.client_id)
        revoked = session.revoke_token(self.metadata["revocation_endpoint"], token=text)
        self.assertEqual(revoked.status_code, 200)
        self.assertEqual(inspect(), {"active": False})
        self.assertEqual(self.whoami(session).status_code, 401)

    def test_a_token_is_verified_by_the_published_keys(self):
        text = self.fetch(self.session())["access_token"]
        keys = KeySet.import_key_set(self.server.operator.expect(200, "GET", "/.well-known/jwks.json"))
        token = jwt.decode(text, keys, algorithms=["EdDSA"])
        self.assertEqual(token.header["typ"], "at+jwt")
        self.assertEqual(token.claims["iss"], self.metadata["issuer"])
        required = {"iss", "exp", "aud", "sub", "client_id", "iat", "jti"}
        self.assertLessEqual(required, set(token.claims), "RFC 9068, 2.2")

    def test_a_revoked_secret_ends_its_tokens(self):
        session = self.session()
        self.fetch(session)
        self.assertEqual(self.whoami(session).status_code, 200)
        self.application.regenerated()
        self.assertEqual(self.whoami(session).status_code, 401)

    # openid-client.

    def node(self, application, **arguments):
        """Runs the script beside this file with a client's configuration; what it prints."""
        folder = Path(os.environ["CLAVIGER_WIRE_NODE"])
        # Beside the packages, since a script finds them from where it lies.
        script = shutil.copy(HERE / "openid_client.mjs", folder)
        given = {
            "issuer": self.server.url,
            "clientId": application.client_id,
            "clientSecret": application.secret,
            **arguments,
        }
        run = subprocess.run(
            ["node", script, json.dumps(given)],
            env={"PATH": os.environ["PATH"], "NODE_EXTRA_CA_CERTS": self.server.ca_file},
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assertEqual(run.returncode, 0, run.stderr)
        return json.loads(run.stdout)

    def test_openid_client_discovers_exchanges_calls_introspects_and_revokes(self):
        for method in ("client_secret_basic", "client_secret_post"):
            with self.subTest(method):
                told = self.node(self.application, method=method, scope="org.audits:READ")
                self.assertEqual(told["token_type"], "bearer")
                self.assertEqual(told["scope"], "org.audits:READ")
                self.assertEqual(told["me"]["application_id"], self.application.id)
                self.assertEqual((told["before"]["active"], told["after"]["active"]), (True, False))
                self.assertEqual(told["revoked"], 401)

    def test_openid_client_reads_the_reason_of_a_refusal(self):
        told = self.node(self.application, method="client_secret_basic", scope="org.alerts:READ")
        self.assertEqual((told["error"], told["status"]), ("invalid_scope", 400))


on_every_engine(globals(), OAuthClients)
