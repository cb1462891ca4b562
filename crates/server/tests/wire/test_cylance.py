"""The Cylance SDK from PyPI, unchanged but for its base URL: it gets a token by an assertion and calls with it."""

import base64
import contextlib
import io
import json
import os
import warnings
from unittest import mock

with warnings.catch_warnings():
    # It asks for a module that Python's packagers have given up.
    warnings.simplefilter("ignore")
    from cyapi import cyapi

from harness import Server, on_every_engine


class Cyapi:
    @classmethod
    def setUpClass(cls):
        cls.server = Server(cls.engine)
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.organization = self.server.organization()
        # Its way to name a certificate authority is that of the library beneath it.
        trusted = {"REQUESTS_CA_BUNDLE": self.server.ca_file, "NO_PROXY": "*", "no_proxy": "*"}
        patch = mock.patch.dict(os.environ, trusted)
        patch.start()
        self.addCleanup(patch.stop)

    def connect(self, application, **arguments):
        known = {"tid": self.organization.id, "app_id": application.client_id, "app_secret": application.secret}
        api = cyapi.CyAPI(**{**known, **arguments})
        api.baseURL = self.server.url + "/"
        # It prints its assertion.
        with contextlib.redirect_stdout(io.StringIO()):
            api.create_conn()
        self.addCleanup(api.s.close)
        return api

    def test_a_token_is_got_and_a_scope_is_missing(self):
        application = self.organization.application({"cylance.devices": ["READ"]})
        api = self.connect(application)
        payload = api.jwt.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        self.assertEqual(claims["tid"], self.organization.id)
        self.assertEqual(claims["exp"] - claims["iat"], 1800)
        refused = api.get_user("nobody@example.org")
        self.assertEqual(refused.status_code, 403)
        self.assertIn("message", refused.errors)
        # What it may do is not refused for want of a scope.
        self.assertEqual(api.get_device("0f5a3a3c-8e0c-4f52-a4a5-0d6ee7d4b0c1").status_code, 501)

    def test_each_connection_has_a_token_of_its_own(self):
        application = self.organization.application({})
        self.assertNotEqual(self.connect(application).jwt, self.connect(application).jwt)

    def test_what_does_not_fit_is_told_as_the_sdk_expects(self):
        application = self.organization.application({})
        for wrong in ({"app_secret": "wrong" * 9}, {"tid": self.server.operator_tenant}, {"app_id": self.organization.id}):
            with self.assertRaisesRegex(RuntimeError, "401(.|\n)*Invalid JWT payload"):
                self.connect(application, **wrong)
        application.revoke_secret()
        with self.assertRaisesRegex(RuntimeError, "401"):
            self.connect(application)


on_every_engine(globals(), Cyapi)
