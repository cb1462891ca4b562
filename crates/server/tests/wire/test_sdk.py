"""The Carbon Black SDK from PyPI, unchanged, reading a Claviger tenant's audit log over TLS with a private authority."""

import csv
import io
import json
import os
import re
import time
from unittest import mock

from cbc_sdk import CBCloudAPI
from cbc_sdk.errors import ClientError, ConnectionError, ObjectNotFoundError, UnauthorizedError
from cbc_sdk.platform import AuditLog, Job

from harness import LONG, Server, on_every_engine

INTEGRATION = {"org.audits": ["READ"], "jobs.status": ["READ"]}
FIELDS = {"org_key", "actor_ip", "actor", "request_url", "description", "flagged", "verbose", "create_time"}
QUEUED_FIELDS = {
    "requestUrl", "eventTime", "eventId", "loginName", "orgName", "flagged", "clientIp", "verbose", "description",
}
# More changes than one page of a search holds.
CHANGES = 1500 if LONG else 130


def identity(record):
    """Records carry no id: what tells one from another."""
    return (record.create_time, record.actor, record.description, record.request_url)


class Sdk:
    @classmethod
    def setUpClass(cls):
        cls.server = Server(cls.engine)
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.organization = self.server.organization()
        self.application = self.organization.application(INTEGRATION)

    def connect(self, application=None, **arguments):
        """The SDK with an application's credentials, as its users set it up."""
        application = application or self.application
        known = {
            "url": self.server.url,
            "token": application.token,
            "org_key": self.organization.org_key,
            "ssl_cert_file": self.server.ca_file,
            "integration_name": "claviger-wire-test/1",
        }
        api = CBCloudAPI(**{**known, **arguments})
        self.addCleanup(api.session.session.close)
        # Neither a proxy nor another certificate authority of the machine's may come in between.
        api.session.session.trust_env = "ssl_cert_file" in arguments
        return api

    def changes(self, number):
        for count in range(number):
            self.application.describe(f"change {count}")
            # Records are told apart by their time, which has milliseconds.
            time.sleep(0.002)

    def drain(self, fetch):
        """Fetches from a read-once queue until it is empty."""
        found = []
        for _ in range(100):
            batch = fetch()
            if not batch:
                return found
            found.extend(batch)
        self.fail("the queue never ran empty")

    # Search.

    def test_search_finds_every_entry_page_by_page(self):
        self.changes(CHANGES)
        api = self.connect()
        records = list(api.select(AuditLog))
        self.assertGreaterEqual(len(records), CHANGES + 1)
        for record in records:
            self.assertLessEqual(FIELDS, set(record._info), record._info)
            self.assertEqual(record.org_key, self.organization.org_key)
            self.assertRegex(record.create_time, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertIsInstance(record.flagged, bool)
            self.assertIsInstance(record.verbose, bool)
        # The reading itself may leave an entry (a machine's sign-in), at most one a minute.
        self.assertLessEqual(abs(len(api.select(AuditLog)) - len(records)), 2)
        self.assertEqual(len(api.select(AuditLog).execute_async().result()) > 0, True)

    def test_search_takes_first_and_slices(self):
        self.changes(6)
        api = self.connect()
        self.assertLessEqual(FIELDS, set(api.select(AuditLog).first()._info))
        ascending = [identity(record) for record in api.select(AuditLog).sort_by("create_time", "ASC")]
        self.assertEqual([identity(r) for r in api.select(AuditLog).sort_by("create_time", "ASC")[0:3]], ascending[0:3])
        self.assertEqual([identity(r) for r in api.select(AuditLog).sort_by("create_time", "ASC")[2:5]], ascending[2:5])
        times = [record[0] for record in ascending]
        self.assertEqual(times, sorted(times))
        descending = [record.create_time for record in api.select(AuditLog).sort_by("create_time", "DESC")]
        self.assertEqual(descending, sorted(descending, reverse=True))

    def test_search_takes_criteria(self):
        self.changes(3)
        api = self.connect()
        everything = len(list(api.select(AuditLog)))
        actor = api.select(AuditLog).first().actor
        mine = list(api.select(AuditLog).add_criteria("actor", [actor]))
        self.assertTrue(mine)
        self.assertEqual({record.actor for record in mine}, {actor})
        others = list(api.select(AuditLog).add_exclusions("actor", [actor]))
        self.assertNotIn(actor, {record.actor for record in others})
        self.assertGreaterEqual(len(mine) + len(others), everything)
        self.assertEqual(list(api.select(AuditLog).add_criteria("actor", ["nobody@example.org"])), [])
        local = list(api.select(AuditLog).add_criteria("actor_ip", ["127.0.0.1"]))
        self.assertEqual({record.actor_ip for record in local}, {"127.0.0.1"})
        self.assertEqual(len(api.select(AuditLog).add_criteria("actor_ip", ["192.0.2.1"])), 0)
        flagged = [len(list(api.select(AuditLog).add_boolean_criteria("flagged", value))) for value in (True, False)]
        self.assertGreaterEqual(sum(flagged), everything)

    def test_search_takes_times(self):
        self.changes(3)
        api = self.connect()

        def count(**times):
            return len(list(api.select(AuditLog).add_time_criteria(**times)))

        self.assertGreaterEqual(count(range="-1h"), 4)
        self.assertGreaterEqual(count(start="2020-01-01T00:00:00Z", end="2999-01-01T00:00:00Z"), 4)
        self.assertEqual(count(start="2020-01-01T00:00:00Z", end="2020-02-01T00:00:00Z"), 0)
        self.assertEqual(count(range="-1h", exclude=True), 0)

    # Export.

    def export(self, format):
        job = self.connect().select(AuditLog).add_time_criteria(range="-1d").export(format=format)
        job = job.await_completion(timeout=60_000).result()
        self.assertEqual(job.status, "COMPLETED")
        total, completed, _ = job.get_progress()
        self.assertEqual(total, completed)
        return job

    def test_export_as_csv(self):
        self.changes(25)
        job = self.export("csv")
        rows = list(csv.DictReader(io.StringIO(job.get_output_as_string())))
        self.assertGreaterEqual(len(rows), 26)
        self.assertLessEqual(FIELDS - {"org_key"}, set(rows[0]))
        # Lines cannot be counted here: a quoted field may hold one.
        self.assertGreaterEqual(len(list(job.get_output_as_lines())), len(rows) + 1)

    def test_export_as_json(self):
        self.changes(25)
        exported = json.loads(self.export("json").get_output_as_string())
        records = exported["results"] if isinstance(exported, dict) else exported
        self.assertGreaterEqual(len(records), 26)
        self.assertLessEqual(FIELDS, set(records[0]))

    def test_export_is_among_the_jobs(self):
        job = self.export("json")
        self.assertIn(str(job.id), [str(known.id) for known in self.connect().select(Job)])

    def test_export_belongs_to_its_organisation(self):
        job = self.export("csv")
        elsewhere = self.server.organization()
        stranger = elsewhere.application(INTEGRATION)
        with self.assertRaises(ObjectNotFoundError):
            self.connect(stranger, org_key=elsewhere.org_key).select(Job, job.id)

    # Queues.

    def test_queue_gives_each_entry_once_to_each_application(self):
        self.changes(5)
        second = self.organization.application(INTEGRATION)
        first_api, second_api = self.connect(), self.connect(second)
        first = self.drain(lambda: AuditLog.get_queued_auditlogs(first_api))
        self.assertGreaterEqual(len(first), 6)
        self.assertLessEqual(FIELDS, set(first[0]._info))
        seen = {identity(record) for record in first}
        self.assertEqual(len(seen), len(first), "an entry came twice")

        self.application.describe("after the first reading")
        again = self.drain(lambda: AuditLog.get_queued_auditlogs(first_api))
        self.assertTrue(again)
        self.assertFalse(seen & {identity(record) for record in again}, "an entry came twice")

        # What one application has read stays unread for another.
        own = {identity(record) for record in self.drain(lambda: AuditLog.get_queued_auditlogs(second_api))}
        self.assertLessEqual(seen, own)

    def test_old_queue_gives_each_entry_once(self):
        self.changes(5)
        api = self.connect()
        entries = self.drain(lambda: AuditLog.get_auditlogs(api))
        self.assertGreaterEqual(len(entries), 6)
        now = time.time() * 1000
        for entry in entries:
            self.assertLessEqual(QUEUED_FIELDS, set(entry), entry)
            self.assertRegex(entry["eventId"], re.compile(r"^[0-9a-f]{32}$"))
            self.assertIsInstance(entry["eventTime"], int)
            self.assertLess(abs(entry["eventTime"] - now), 600_000)
        ids = {entry["eventId"] for entry in entries}
        self.assertEqual(len(ids), len(entries))
        self.application.describe("after the first reading")
        again = self.drain(api.get_auditlogs)
        self.assertTrue(again)
        self.assertFalse(ids & {entry["eventId"] for entry in again}, "an entry came twice")

    # Refusals.

    def refused(self, error, application=None, **arguments):
        with self.assertRaises(error) as caught:
            self.connect(application, **arguments).select(AuditLog).first()
        return caught.exception

    def test_dead_and_wrong_secrets_are_unauthorised(self):
        api = self.connect()
        self.assertTrue(list(api.select(AuditLog)))
        self.application.revoke_secret()
        with self.assertRaises(UnauthorizedError):
            list(api.select(AuditLog))
        with self.assertRaises(UnauthorizedError):
            AuditLog.get_queued_auditlogs(api)
        with self.assertRaises(UnauthorizedError):
            AuditLog.get_auditlogs(api)

        changed = self.organization.application(INTEGRATION)
        successor = changed.regenerated()
        old = self.refused(UnauthorizedError, changed)
        self.assertTrue(list(self.connect(successor).select(AuditLog)))
        # Who guesses learns no more than who was revoked.
        wrong = self.refused(UnauthorizedError, token=f"{changed.secret}/{self.application.client_id}")
        nobody = self.refused(UnauthorizedError, token="secret/NOBODY")
        self.assertEqual({json.loads(e.message)["error_code"] for e in (old, wrong, nobody)}, {"UNAUTHORIZED"})

    def test_wrong_address_is_unauthorised(self):
        for networks in (["192.0.2.0/24"], []):
            self.refused(UnauthorizedError, self.organization.application(INTEGRATION, allowed_networks=networks))

    def test_missing_permissions_are_named(self):
        error = self.refused(ClientError, self.organization.application({"jobs.status": ["READ"]}))
        self.assertEqual(error.error_code, 403)
        self.assertIn("org.audits", error.message)
        # The export is allowed, looking at its job is not.
        api = self.connect(self.organization.application({"org.audits": ["READ"]}))
        self.assertTrue(list(api.select(AuditLog)))
        with self.assertRaises(ClientError) as caught:
            api.select(AuditLog).export(format="csv")
        self.assertEqual(caught.exception.error_code, 403)
        self.assertIn("jobs.status", caught.exception.message)

    def test_other_organisations_do_not_exist(self):
        other = self.server.organization()
        missing = self.refused(ObjectNotFoundError, org_key="NOSUCHORG1")
        foreign = self.refused(ObjectNotFoundError, org_key=other.org_key)
        self.assertEqual(
            foreign.message.replace(other.org_key, "KEY"), missing.message.replace("NOSUCHORG1", "KEY")
        )

    def test_unknown_fields_are_refused(self):
        for query in (
            self.connect().select(AuditLog).add_criteria("no_such_field", ["x"]),
            self.connect().select(AuditLog).sort_by("no_such_field", "ASC"),
            self.connect().select(AuditLog).add_time_criteria(range="tomorrow"),
        ):
            with self.assertRaises(ClientError) as caught:
                list(query)
            self.assertEqual(caught.exception.error_code, 400)

    # Transport.

    def test_authority_may_come_from_the_environment(self):
        with mock.patch.dict(os.environ, {"REQUESTS_CA_BUNDLE": self.server.ca_file}):
            self.assertTrue(list(self.connect(ssl_cert_file=None).select(AuditLog)))

    def test_unknown_authority_is_not_trusted(self):
        self.refused(ConnectionError, ssl_cert_file=None, max_retries=0)
        # With the check switched off the calls do arrive, so it was the certificate that was refused.
        self.assertTrue(list(self.connect(ssl_cert_file=None, ssl_verify=False).select(AuditLog)))


on_every_engine(globals(), Sdk)
