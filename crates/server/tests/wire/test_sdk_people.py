"""The Carbon Black SDK from PyPI, unchanged, managing people of a Claviger tenant: users, grants and access profiles."""

import email
import email.policy
import re
import uuid

import requests
from cbc_sdk import CBCloudAPI
from cbc_sdk.errors import ClientError, ObjectNotFoundError, ServerError
from cbc_sdk.platform import Grant, User

from harness import Server, eventually, on_every_engine

VIEW_ALL = "psc:role::BETA_VIEW_ALL"
MANAGER = {"users": ["CREATE", "READ", "UPDATE", "DELETE"], "access-levels": ["READ"]}


class People:
    @classmethod
    def setUpClass(cls):
        cls.server = Server(cls.engine)
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.organization = self.server.organization()
        levels = self.server.operator.expect(200, "GET", f"/v1/tenants/{self.organization.id}/access-levels")["items"]
        body = {"name": "Manager", "access_level_id": next(x["id"] for x in levels if x["name"] == "Super Admin")}
        body["reach"] = "beneath"
        made = self.server.operator.post(self.organization.path, body)
        self.client_id = made["application"]["client_id"]
        self.api = self.connect(f"{made['secret']['text']}/{self.client_id}")
        self.email = f"ada-{uuid.uuid4().hex}@example.com"

    def connect(self, token):
        api = CBCloudAPI(
            url=self.server.url, token=token, org_key=self.organization.org_key, ssl_cert_file=self.server.ca_file
        )
        self.addCleanup(api.session.session.close)
        return api

    def register(self, **arguments):
        builder = User.create(self.api).set_email(self.email).set_first_name("Ada").set_last_name("Lovelace")
        builder.set_phone("+44 20")
        for profile in arguments.get("profiles", []):
            builder.add_grant_profile(**profile)
        if "role" in arguments:
            builder.set_role(arguments["role"])
        builder.build()

    def activate(self):
        """Accepts the invitation that came by mail."""
        token = eventually(self.invitation)
        self.assertTrue(token, "no mail has come")
        body = {"token": token, "password": f"a long passphrase {uuid.uuid4().hex}"}
        path = f"{self.server.url}/v1/invitations/accept"
        answer = requests.post(path, json=body, verify=self.server.ca_file, timeout=30)
        self.assertLess(answer.status_code, 300, answer.text)

    def invitation(self):
        for file in (self.server.folder / "data/mail/new").glob("*"):
            mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
            if self.email in mail["To"]:
                return re.search(r"#(\S+)", mail.get_body(("plain",)).get_content()).group(1)
        return None

    def user(self):
        return self.api.select(User).email_addresses([self.email]).one()

    def test_a_user_is_listed_once_activated_changed_and_deleted(self):
        self.register(role=VIEW_ALL)
        with self.assertRaises(ObjectNotFoundError):
            self.user()
        self.activate()
        user = self.user()
        self.assertEqual((user.first_name, user.last_name, user.phone), ("Ada", "Lovelace", "+44 20"))
        self.assertEqual(user.grant().roles, [VIEW_ALL])
        user.phone = "+44 21"
        user.save()
        self.assertEqual(self.api.select(User, user.login_id).phone, "+44 21")
        self.assertIn(user.login_id, [known.login_id for known in self.api.select(User)])
        user.delete()
        self.assertNotIn(user.login_id, [known.login_id for known in self.api.select(User)])

    def test_a_second_registration_is_told_as_the_sdk_expects(self):
        self.register()
        with self.assertRaises(ServerError) as caught:
            self.register()
        self.assertIn(self.email, str(caught.exception))
        with self.assertRaises(ClientError):
            User.create(self.api, {"email": "nobody", "first_name": "A", "last_name": "B"})

    def test_profiles_are_added_disabled_and_given_an_end(self):
        org = self.organization.org_key
        self.register(profiles=[{"orgs": [org], "roles": [VIEW_ALL]}])
        self.activate()
        user = self.user()
        template = {"orgs": {"allow": [org]}, "roles": [VIEW_ALL]}
        (profile,) = user.grant().profiles_
        self.assertEqual(profile.allowed_orgs, [f"psc:org:{org}"])
        self.assertFalse(profile.conditions["disabled"])
        user.disable_profiles([template])
        self.assertTrue(user.grant().profiles_[0].conditions["disabled"])
        user.add_profiles([template])
        self.assertEqual([one.conditions["disabled"] for one in user.grant().profiles_], [False])
        user.set_profile_expiration([template], "2099-10-31T12:34:56Z")
        self.assertEqual(user.grant().profiles_[0].conditions["expiration"], "2099-10-31T12:34:56.000Z")
        user.disable_all_access()
        self.assertTrue(all(one.conditions["disabled"] for one in user.grant().profiles_))
        admin = "psc:role::CONSOLE_USER_SUPER_ADMIN"
        known = Grant.get_permitted_role_urns(self.api)
        self.assertIn(VIEW_ALL, known)
        other = next((urn for urn in known if urn != VIEW_ALL), admin)
        user.change_role(other, org)
        self.assertIn(other, user.grant().profiles_[0].roles)
        User.bulk_disable_all_access([user])
        User.bulk_delete([user])
        self.assertEqual(list(self.api.select(User).email_addresses([self.email])), [])

    def test_grants_are_built_and_changed(self):
        self.register()
        self.activate()
        user = self.user()
        org = self.organization.org_key
        builder = Grant.create(self.api, org_key=org, userid=user.login_id)
        builder.set_org(org).set_principal_name("Ada")
        builder.create_profile().add_org(org).add_role(VIEW_ALL).set_conditions(
            {"cidr": ["192.0.2.0/24"], "expiration": 0, "disabled": False}
        ).build()
        grant = builder.build()
        self.assertEqual(grant.principal, user.urn)
        grant = user.grant()
        (profile,) = grant.profiles_
        self.assertEqual(profile.conditions["cidr"], ["192.0.2.0/24"])
        second = grant.create_profile().add_org(org).add_role(VIEW_ALL).set_disabled(True).build()
        self.assertEqual(len(user.grant().profiles_), 2)
        second.delete()
        (profile,) = user.grant().profiles_
        profile.set_disabled(True)
        # As the SDK does itself where it disables profiles: save() does not notice what set_disabled has changed.
        profile._update_object()
        self.assertTrue(user.grant().profiles_[0].conditions["disabled"])
        grant = user.grant()
        grant.roles = [VIEW_ALL]
        grant.save()
        self.assertEqual(self.api.select(Grant, user.urn).roles, [VIEW_ALL])
        with self.assertRaises(ClientError) as caught:
            grant.create_profile({"orgs": {"allow": ["psc:org:OTHERORG"]}, "roles": [VIEW_ALL]})
        self.assertEqual(caught.exception.error_code, 400)
        user.grant().delete()
        self.assertIsNone(user.grant())

    def test_users_are_made_in_bulk(self):
        emails = [f"{number}-{self.email}" for number in range(3)]
        templates = [{"email": email, "first_name": "A", "last_name": "B"} for email in emails]
        profiles = [{"orgs": {"allow": [self.organization.org_key]}, "roles": [VIEW_ALL]}]
        User.bulk_create(self.api, templates, profiles)
        path = f"/v1/tenants/{self.organization.id}/users"
        known = self.server.operator.expect(200, "GET", path)["items"]
        self.assertEqual(sorted(one["email"] for one in known), sorted(emails))

    def test_nobody_hands_out_what_they_lack(self):
        small = self.organization.application(MANAGER)
        with self.assertRaises(ClientError) as caught:
            User.create(self.connect(small.token), {"email": self.email, "role_urn": VIEW_ALL})
        self.assertEqual(caught.exception.error_code, 403)
        self.assertEqual(Grant.get_permitted_role_urns(self.connect(small.token)), [])

    def test_a_second_factor_is_reset(self):
        self.register()
        self.activate()
        self.user().reset_google_authenticator_registration()


on_every_engine(globals(), People)
