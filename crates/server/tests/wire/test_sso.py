"""Single sign-on at a provider that was not made for Claviger: oidc-provider (JavaScript), unchanged, and somebody who fills in
its forms as with a browser."""

import html
import json
import os
import re
import shutil
import tempfile
from pathlib import Path

import requests

from harness import Process, Server, eventually, free_port, is_listening, on_every_engine

HERE = Path(__file__).parent
ACCOUNTS = {
    "ada": {"email": "ada@acme.example", "email_verified": True, "given_name": "Ada", "family_name": "Lovelace",
            "groups": ["staff", "viewers"]},
    "eve": {"email": "eve@acme.example", "email_verified": False},
    "mallory": {"email": "mallory@elsewhere.example", "email_verified": True},
}
CLIENTS = [
    {"client_id": "with-a-secret", "client_secret": "hush: hush & hush"},
    {"client_id": "without", "token_endpoint_auth_method": "none"},
]


class Provider:
    """A provider that knows the accounts, on a port of its own."""

    def __init__(self, redirect_uri, **arguments):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = Path(tempfile.mkdtemp(prefix="claviger-wire-oidc-"))
        # Beside the packages, since a script finds them from where it lies.
        script = shutil.copy(HERE / "oidc_provider.mjs", Path(os.environ["CLAVIGER_WIRE_NODE"]))
        given = {"port": self.port, "redirectUri": redirect_uri, "accounts": ACCOUNTS, "clients": CLIENTS, **arguments}
        self.process = Process("oidc-provider", ["node", script, json.dumps(given)], self.folder)
        self.process.wait_for(lambda: is_listening(self.port), "listening")

    def close(self):
        self.process.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class SingleSignOn:
    @classmethod
    def setUpClass(cls):
        cls.server = Server(cls.engine, '[outgoing]\nallowed_networks = ["127.0.0.0/8"]\n')
        cls.addClassCleanup(cls.server.close)

    def provider(self, **arguments):
        provider = Provider(self.server.url + "/v1/sign-in/sso/callback", **arguments)
        self.addCleanup(provider.close)
        return provider

    def organization(self, provider, **members):
        organization = self.server.organization()
        # Each test takes the domain over from the one before.
        self.addCleanup(self.forget, organization)
        body = {
            "name": "Acme", "issuer": provider.url, "client_id": "with-a-secret", "client_secret": "hush: hush & hush",
            "domains": ["acme.example"], **members,
        }
        self.server.operator.post(f"/v1/tenants/{organization.id}/identity-providers", body)
        return organization

    def forget(self, organization):
        path = f"/v1/tenants/{organization.id}/identity-providers"
        for found in self.server.operator.expect(200, "GET", path)["items"]:
            self.assertEqual(self.server.operator.call("DELETE", f"{path}/{found['id']}").status_code, 204)

    def view_all(self, organization):
        levels = self.server.operator.expect(200, "GET", f"/v1/tenants/{organization.id}/access-levels")["items"]
        return next(level["id"] for level in levels if level["name"] == "View All")

    def browser(self):
        browser = requests.Session()
        self.addCleanup(browser.close)
        browser.trust_env = False
        browser.verify = self.server.ca_file
        browser.headers["Accept"] = "text/html,*/*;q=0.8"
        return browser

    def begin(self, browser, email):
        headers = {"Origin": self.server.url, "Sec-Fetch-Site": "same-origin"}
        answer = browser.post(self.server.url + "/v1/sign-in/sso", json={"email": email}, headers=headers, timeout=30)
        self.assertEqual(answer.status_code, 200, answer.text)
        return answer.json()

    def sign_in(self, browser, login, email="ada@acme.example"):
        """Goes to the provider and back by its forms; the last answer, which is Claviger's."""
        begun = self.begin(browser, email)
        self.assertEqual(begun["method"], "sso")
        answer = browser.get(begun["redirect_url"], timeout=30)
        for _ in range(4):
            if answer.url.startswith(self.server.url):
                return answer
            self.assertEqual(answer.status_code, 200, answer.text)
            action = html.unescape(re.search(r'<form[^>]* action="([^"]+)"', answer.text).group(1))
            prompt = re.search(r'name="prompt" value="([a-z]+)"', answer.text).group(1)
            answer = browser.post(action, data={"prompt": prompt, "login": login, "password": "any"}, timeout=30)
        raise AssertionError(f"the provider does not let anybody come back: {answer.text}")

    def me(self, browser):
        return browser.get(self.server.url + "/v1/me", timeout=30)

    def assert_told(self, organization, reason):
        """The organisation's record tells the reason, at the latest with the next flush."""

        def told():
            audit = self.server.operator.expect(200, "GET", f"/v1/tenants/{organization.id}/audit")
            return reason in [entry["details"].get("reason") for entry in audit["items"]]

        self.assertTrue(eventually(told, seconds=10), reason)

    def test_somebody_signs_in(self):
        for full in (False, True):
            with self.subTest(full_id_tokens=full):
                organization = self.organization(self.provider(fullIdTokens=full))
                path = f"/v1/tenants/{organization.id}"
                body = {"email": "Ada@acme.example", "access_level_ids": [self.view_all(organization)]}
                user = self.server.operator.post(path + "/users", body)
                browser = self.browser()
                answer = self.sign_in(browser, "ada")
                self.assertEqual(answer.status_code, 200, answer.text)
                me = self.me(browser).json()
                self.assertEqual((me["user"]["id"], me["session"]["methods"]), (user["id"], ["sso"]))
                self.assertEqual(self.server.operator.call("DELETE", f"{path}/users/{user['id']}").status_code, 204)
                self.assertEqual(self.me(browser).status_code, 401)
                self.forget(organization)

    def test_a_user_is_made_with_the_roles_of_its_groups(self):
        for client in ({}, {"client_id": "without", "client_secret": None}):
            with self.subTest(client=client):
                organization = self.organization(self.provider(), create_users=True, **client)
                view = self.view_all(organization)
                path = f"/v1/tenants/{organization.id}/identity-providers"
                made = self.server.operator.expect(200, "GET", path)["items"][0]
                rule = {"claim": "groups", "value": "viewers", "access_level_ids": [view]}
                patch = {"role_mapping": [rule], "scopes": ["email", "profile", "groups"]}
                self.server.operator.expect(200, "PATCH", f"{path}/{made['id']}", json=patch)
                browser = self.browser()
                self.assertEqual(self.sign_in(browser, "ada").status_code, 200)
                user = self.me(browser).json()["user"]
                self.assertEqual((user["first_name"], user["last_name"]), ("Ada", "Lovelace"))
                stored = self.server.operator.expect(200, "GET", f"/v1/tenants/{organization.id}/users/{user['id']}")
                self.assertEqual(stored["access_level_ids"], [view])
                gone = self.server.operator.call("DELETE", f"/v1/tenants/{organization.id}/users/{user['id']}")
                self.assertEqual(gone.status_code, 204)
                self.forget(organization)

    def test_who_is_not_sure_to_be_somebody_stays_out(self):
        organization = self.organization(self.provider(), create_users=True)
        for login, reason in (("eve", "sso_email_unverified"), ("mallory", "sso_email_elsewhere")):
            with self.subTest(login):
                browser = self.browser()
                answer = self.sign_in(browser, login)
                self.assertEqual(answer.status_code, 401)
                self.assertIn("could not be signed in", answer.text)
                self.assertEqual(self.me(browser).status_code, 401)
                self.assert_told(organization, reason)

    def test_a_code_of_another_browser_is_worth_nothing(self):
        organization = self.organization(self.provider(), create_users=True)
        mine, other = self.browser(), self.browser()
        self.begin(other, "ada@acme.example")
        answer = self.sign_in(mine, "ada")
        self.assertEqual(answer.status_code, 401, "nobody has invited her, and no rule gives her anything")
        self.assert_told(organization, "sso_no_access_level")
        self.assertEqual(other.get(answer.url, timeout=30).status_code, 401)

    def test_others_sign_in_by_password(self):
        self.organization(self.provider())
        begun = self.begin(self.browser(), "ada@elsewhere.example")
        self.assertEqual(begun, {"method": "password", "redirect_url": None})


on_every_engine(globals(), SingleSignOn)
