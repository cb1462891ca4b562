"""The Carbon Black SDK from PyPI, unchanged, signing in as organisations on the vendor's cloud-services platform do: with an app
id and its secret, or with an API token, and with the platform's address pointed at Claviger."""

import os
from unittest import mock

from cbc_sdk import CBCloudAPI
from cbc_sdk.errors import ApiError, CredentialError
from cbc_sdk.platform import AuditLog

from harness import Server, on_every_engine

INTEGRATION = {"org.audits": ["READ"], "jobs.status": ["READ"]}


class SdkCsp:
    @classmethod
    def setUpClass(cls):
        cls.server = Server(cls.engine)
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.organization = self.server.organization()
        self.application = self.organization.application(INTEGRATION)
        # The SDK asks the platform without the certificate that it was given for everything else.
        environment = mock.patch.dict(os.environ, {"REQUESTS_CA_BUNDLE": self.server.ca_file, "NO_PROXY": "*"})
        environment.start()
        self.addCleanup(environment.stop)

    def connect(self, **credential):
        api = CBCloudAPI(
            url=self.server.url,
            org_key=self.organization.org_key,
            ssl_cert_file=self.server.ca_file,
            integration_name="claviger-wire-test/1",
            csp_url_override=self.server.url,
            **credential,
        )
        self.addCleanup(api.session.session.close)
        return api

    def variants(self, application):
        return (
            {"csp_oauth_app_id": application.client_id, "csp_oauth_app_secret": application.secret},
            {"csp_api_token": application.token},
        )

    def test_both_credentials_get_a_token(self):
        for credential in self.variants(self.application):
            with self.subTest(", ".join(credential)):
                api = self.connect(**credential)
                self.assertTrue(api.session.token_header["Authorization"].startswith("Bearer ey"))
                self.assertNotIn("X-Auth-Token", api.session.token_header)
                self.application.describe(f"by {sorted(credential)}")
                self.assertGreaterEqual(len(list(api.select(AuditLog))), 2)
                self.assertTrue(AuditLog.get_queued_auditlogs(api))
                self.assertTrue(AuditLog.get_auditlogs(api))
                job = api.select(AuditLog).add_time_criteria(range="-1d").export(format="csv")
                self.assertEqual(job.await_completion(timeout=60_000).result().status, "COMPLETED")

    def test_an_ended_token_is_replaced_by_the_sdk(self):
        for credential in self.variants(self.application):
            with self.subTest(", ".join(credential)):
                api = self.connect(**credential)
                self.assertTrue(list(api.select(AuditLog)))
                before = api.session.token
                self.server.operator.expect(200, "POST", f"{self.application.path}/invalidate-tokens", json={})
                self.assertTrue(list(api.select(AuditLog)))
                self.assertNotEqual(before, api.session.token)

    def test_refusals_are_shown(self):
        wrong = self.organization.application(INTEGRATION)
        wrong.secret = self.application.secret
        messages = set()
        for credential in self.variants(wrong):
            with self.assertRaises(CredentialError) as caught:
                self.connect(**credential)
            messages.add(str(caught.exception))
        self.assertEqual(len(messages), 1)
        self.assertIn("not valid", messages.pop())

    def test_a_dead_credential_gets_nothing_more(self):
        for credential in self.variants(self.application):
            api = self.connect(**credential)
            self.assertTrue(list(api.select(AuditLog)))
        self.application.revoke_secret()
        with self.assertRaises(ApiError) as caught:
            list(api.select(AuditLog))
        self.assertIn("not valid", str(caught.exception))


on_every_engine(globals(), SdkCsp)
