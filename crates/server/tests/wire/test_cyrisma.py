"""Exchanges of the Cyrisma Partner API as its clients send them (python requests): forms on POST, PATCH and GET, both slash
forms, the scheme of its own. The sample of `claviger demo` is the client."""

import shutil
import time
import uuid

import requests

from harness import BINARY, Database, Process, eventually, free_port, is_listening, on_every_engine, read_json
from harness import temporary_folder

LIFETIME = 600


class Demo:
    """`claviger demo` on a folder of its own."""

    def __init__(self, engine):
        self.folder = temporary_folder("demo")
        self.database = Database() if engine == "Postgres" else None
        credentials, port = self.folder / "credentials.json", free_port()
        command = [BINARY, "demo", "--listen", f"127.0.0.1:{port}", "--data-dir", self.folder / "data"]
        command += ["--credentials-file", credentials]
        if self.database:
            command += ["--database", self.database.url]
        self.process = Process("claviger", command, self.folder)
        self.process.wait_for(lambda: read_json(credentials), "writing the credentials file")
        self.process.wait_for(lambda: is_listening(port), "listening")
        self.written = read_json(credentials)

    def close(self):
        status, output = self.process.stop(), self.process.tail()
        if self.database:
            self.database.drop()
        shutil.rmtree(self.folder, ignore_errors=True)
        assert status == 0, f"claviger ended with {status}\n{output}"


class Partner:
    @classmethod
    def setUpClass(cls):
        cls.demo = Demo(cls.engine)
        cls.addClassCleanup(cls.demo.close)

    def setUp(self):
        (self.sample,) = [one for one in self.demo.written["samples"] if one["family"] == "cyrisma"]
        self.session = requests.Session()
        self.addCleanup(self.session.close)
        self.session.trust_env = False
        self.session.verify = self.demo.written["ca_file"]
        self.base = self.demo.written["base_url"].rstrip("/") + "/app/partner"
        form = {"grant_type": "password", "username": self.sample["client_id"], "password": self.sample["secret"]}
        signed_in = self.call("POST", "/login/", data=form)
        self.assertEqual((signed_in["token_type"], signed_in["expires_in"]), ("access", LIFETIME))
        self.session.headers["Authorization"] = f"access_token {signed_in['access_token']}"

    def call(self, method, path, expected=200, **arguments):
        answer = self.session.request(method, self.base + path, timeout=30, allow_redirects=False, **arguments)
        self.assertEqual(answer.status_code, expected, f"{method} {path}: {answer.text}")
        return answer.json()

    def structure(self):
        return self.call("GET", "/instances/info/")

    def create(self, parent, kind="organization", consulting="false", **more):
        form = {
            "instance_type": kind,
            "is_consulting": consulting,
            "parent_instance_id": parent,
            "name": f"Made {uuid.uuid4().hex}",
            "short_name": "Made",
            "country": "US",
            "email": "ops@example.com",
            **more,
        }
        made = self.call("POST", "/instances/create", data=form)
        self.assertTrue(made["agent_key"])
        path = f"/instances/provision-status/{made['instance_id']}"
        self.assertTrue(eventually(lambda: self.call("GET", path)["status"] == "complete", seconds=30))
        return made["instance_id"]

    def test_the_sample_is_a_partner_with_an_organization_and_an_instance(self):
        rows = self.structure()
        by_type = [row["instance_type"] for row in rows]
        self.assertEqual(rows[0]["instance_id"], self.sample["tenant_id"])
        self.assertIn("organization", by_type[1:])
        self.assertIn("standard", by_type)
        for row in rows:
            self.assertEqual(
                set(row),
                {
                    "instance_id", "name", "short_name", "parent_id", "hierarchy", "instance_type", "is_consulting",
                    "number_of_endpoints", "url", "tenant_id", "agent_key", "mfa",
                },
            )
            self.assertIsInstance(row["is_consulting"], bool)
            self.assertIsInstance(row["number_of_endpoints"], int)

    def test_one_is_asked_for_by_path_query_or_form(self):
        row = self.structure()[-1]
        wanted = {"instance_id": row["instance_id"]}
        for path in (f"/instances/info/{row['instance_id']}", f"/instances/info/{row['instance_id']}/"):
            self.assertEqual(self.call("GET", path), [row])
        self.assertEqual(self.call("GET", "/instances/info", params=wanted), [row])
        self.assertEqual(self.call("GET", "/instances/info/", data=wanted), [row])
        self.assertEqual(self.call("GET", "/instances/info", json=wanted), [row])
        self.assertEqual(self.call("GET", "/instances/info", files={"instance_id": (None, row["instance_id"])}), [row])
        refused = self.call("GET", f"/instances/info/{uuid.uuid4()}", expected=400)
        self.assertEqual(refused["error"], "instance_not_found")

    def test_an_organization_and_an_instance_go_through_their_lives(self):
        root = self.sample["tenant_id"]
        organization = self.create(root, mfa_type="2", tenant_id="MDR-7")
        (row,) = self.call("GET", f"/instances/info/{organization}")
        self.assertEqual((row["mfa"], row["tenant_id"], row["parent_id"]), ("2", "MDR-7", root))
        instance = self.create(organization, "standard", "true")
        (row,) = self.call("GET", f"/instances/info/{instance}")
        self.assertTrue(row["is_consulting"])
        self.assertEqual(row["hierarchy"].count("/"), 2)
        form = {"instance_id": instance}
        converted = self.call("PATCH", "/instances/convert", data=form)
        self.assertEqual(converted, {"instance_id": instance, "name": row["name"], "consulting_status": "standard"})
        self.assertFalse(self.call("GET", f"/instances/info/{instance}")[0]["is_consulting"])
        suspended = self.call("PATCH", "/instances/suspend/", data={"instance_id": organization})
        self.assertEqual(set(suspended), {"instanceID", "name", "enabled"})
        self.assertEqual((suspended["instanceID"], suspended["enabled"]), (organization, 0))
        known = [row["instance_id"] for row in self.structure()]
        self.assertNotIn(organization, known)
        self.assertNotIn(instance, known, "it stands beneath one that is suspended")
        self.assertEqual(self.call("GET", f"/instances/info/{organization}"), [])
        for path in ("/instances/reactivate", "/instances/info"):
            reactivated = self.call("PATCH", path, data={"instance_id": organization})
            self.assertEqual((reactivated["instance_id"], reactivated["enabled"]), (organization, 1))
        self.assertIn(instance, [row["instance_id"] for row in self.structure()])
        form = {"instance_id": organization, "mfa_type": "1"}
        changed = self.call("PATCH", "/instances/mfa", data=form)
        self.assertEqual((changed["instance_id"], changed["mfa_type"]), (organization, "1"))
        refused = self.call("PATCH", "/instances/suspend", data={"instance_id": root}, expected=400)
        self.assertEqual(refused["error"], "invalid_request")
        self.assertEqual(self.call("DELETE", f"/instances/{instance}", expected=400)["error"], "conflict")
        self.call("PATCH", "/instances/suspend", data={"instance_id": instance})
        self.assertEqual(self.call("DELETE", f"/instances/{instance}")["instance_id"], instance)

    def test_people_come_go_and_come_back(self):
        organization = self.create(self.sample["tenant_id"])
        username = f"ada-{uuid.uuid4().hex}@example.com"
        form = {"instance_id": organization, "username": username, "first_name": "Ada", "last_name": "Lovelace"}
        user = self.call("POST", "/instances/users/create", data=form)
        self.assertEqual({**form, "id": user["id"], "enabled": "1"}, user)
        self.assertTrue(all(isinstance(value, str) for value in user.values()))
        self.assertIn(user, self.call("GET", "/users/info/"))
        for ref in (user["id"], username):
            self.assertEqual(self.call("GET", f"/users/info/{ref}"), [user])
        for _ in range(2):
            disabled = self.call("PATCH", "/users/disable", data={"user_id": user["id"]})
            self.assertEqual(disabled, [{**user, "enabled": "0"}])
        self.assertEqual(self.call("POST", "/instances/users/create/", data=form), user)
        self.assertEqual(len(self.call("GET", "/users/info", data={"limit": "1", "offset": "0"})), 1)
        instance = self.create(organization, "standard")
        refused = self.call("POST", "/instances/users/create", data={**form, "instance_id": instance}, expected=400)
        self.assertEqual(refused["error"], "not_an_organization")
        refused = self.call("GET", "/users/info/nobody@example.com", expected=400)
        self.assertEqual(refused["error"], "user_not_found")

    def test_a_repeated_creation_is_one(self):
        form = {
            "instance_type": "ORG", "is_consulting": "no", "parent_instance_id": self.sample["tenant_id"],
            "name": f"Once {uuid.uuid4().hex}", "short_name": "Once", "country": "Germany", "email": "a@example.com",
        }
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        first = self.call("POST", "/instances/create", data=form, headers=headers)
        self.assertEqual(self.call("POST", "/instances/create", data=form, headers=headers), first)
        self.assertEqual([row["name"] for row in self.structure()].count(form["name"]), 1)

    def test_usage_is_told_by_day_and_month(self):
        today = time.strftime("%Y-%m-%d", time.gmtime())
        for grain in ("day", "month"):
            usage = self.call("GET", "/usage", params={"from": today, "to": today, "grain": grain})
            self.assertEqual((usage["grain"], usage["root_tenant_id"]), (grain, self.sample["tenant_id"]))
            self.assertIsInstance(usage["items"], list)
        self.assertEqual(self.call("GET", "/usage", expected=400)["error"], "invalid_date_range")
        refused = self.call("GET", "/usage", params={"from": today, "to": today, "grain": "year"}, expected=400)
        self.assertEqual(refused["error"], "invalid_grain")

    def test_without_a_token_nothing_is_told(self):
        del self.session.headers["Authorization"]
        for method, path in (("GET", "/instances/info"), ("PATCH", "/instances/suspend"), ("GET", "/users/info")):
            self.assertEqual(self.call(method, path, expected=401)["error"], "invalid_token")


on_every_engine(globals(), Partner)
