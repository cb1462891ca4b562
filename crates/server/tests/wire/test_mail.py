"""Mails over SMTP to a server that was not made for Claviger: aiosmtpd (Python), by implicit TLS and by STARTTLS, with a password."""

import email
import email.policy
import ssl
import subprocess
import time

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from harness import Server, eventually, free_port, on_every_engine, temporary_folder

PASSWORD = "a password for mails"


class Sink:
    """Takes mails in, and refuses some for now or for ever."""

    def __init__(self):
        self.mails, self.refusals = [], []

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert server.transport.get_extra_info("ssl_object") is not None, "a mail came without TLS"
        if self.refusals:
            return self.refusals.pop(0)
        self.mails.append((envelope.mail_from, envelope.rcpt_tos, message))
        return "250 Taken"


def authenticate(server, session, envelope, mechanism, data):
    right = isinstance(data, LoginPassword) and data == LoginPassword(b"claviger", PASSWORD.encode())
    return AuthResult(success=right, handled=False)


class StartTls(Controller):
    """A controller whose clients must ask for TLS before anything else."""

    def factory(self):
        return SMTP(self.handler, require_starttls=True, tls_context=self.context, auth_required=True, authenticator=authenticate)


class Implicit(Controller):
    """A controller that speaks TLS from the first byte."""

    def factory(self):
        return SMTP(self.handler, auth_required=True, auth_require_tls=False, authenticator=authenticate)


def openssl(*arguments):
    subprocess.run(["openssl", *[str(argument) for argument in arguments]], check=True, capture_output=True)


def certificate(folder):
    """An authority, and a server's context with a certificate of it for this machine."""
    authority, authority_key = folder / "ca.pem", folder / "ca.key"
    chain, key, request, names = (folder / name for name in ("mail.pem", "mail.key", "mail.csr", "names"))
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *curve, "-days", "2", "-subj", "/CN=Mail CA", "-keyout", authority_key, "-out", authority)
    openssl("req", *curve, "-subj", "/CN=localhost", "-keyout", key, "-out", request)
    names.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    signing = ["-CA", authority, "-CAkey", authority_key, "-CAcreateserial", "-extfile", names]
    openssl("x509", "-req", "-days", "2", "-in", request, "-out", chain, *signing)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    return authority, context


class Mails:
    def served(self, tls):
        """A mail server and a Claviger that sends by it."""
        folder, port, sink = temporary_folder("mail"), free_port(), Sink()
        chain, context = certificate(folder)
        if tls == "implicit":
            controller = Implicit(sink, hostname="127.0.0.1", port=port, ssl_context=context)
        else:
            controller = StartTls(sink, hostname="127.0.0.1", port=port)
            controller.context = context
        controller.start()
        self.addCleanup(controller.stop)
        password = folder / "password"
        password.write_text(PASSWORD + "\n")
        settings = f"""
[mail]
transport = "smtp"
host = "localhost"
port = {port}
tls = "{tls}"
user = "claviger"
password_file = "{password}"
ca_file = "{chain}"
from = "Claviger <noreply@claviger.example>"
"""
        server = Server(self.engine, settings)
        self.addCleanup(server.close)
        return server, sink

    def invite(self, server, address, name="Ada"):
        organization = server.organization()
        body = {"email": address, "first_name": name}
        return server.operator.post(f"/v1/tenants/{organization.id}/users", body)

    def test_a_mail_arrives_by_tls(self):
        for tls in ("implicit", "starttls"):
            with self.subTest(tls):
                server, sink = self.served(tls)
                self.invite(server, "ada@example.com", "Jörg")
                self.assertTrue(eventually(lambda: sink.mails, 30), server.process.tail())
                sender, recipients, message = sink.mails[0]
                self.assertEqual((sender, recipients), ("noreply@claviger.example", ["ada@example.com"]))
                self.assertEqual(message["subject"], "You are invited")
                self.assertEqual(str(message["from"]), "Claviger <noreply@claviger.example>")
                self.assertEqual(message["auto-submitted"], "auto-generated")
                text = message.get_content()
                self.assertIn("Hello Jörg,", text)
                link = next(line for line in text.splitlines() if "://" in line)
                self.assertTrue(link.startswith(f"{server.url}/people/invitation#clv_l_"), link)
                body = {"token": link.split("#")[1], "password": "correct horse battery staple"}
                server.operator.expect(204, "POST", "/v1/invitations/accept", json=body)

    def test_what_is_refused_for_now_is_tried_again(self):
        server, sink = self.served("starttls")
        sink.refusals.append("451 Later")
        started = time.monotonic()
        self.invite(server, "ada@example.com")
        self.assertTrue(eventually(lambda: sink.mails, 40), server.process.tail())
        self.assertGreater(time.monotonic() - started, 8)
        self.assertEqual(len(sink.mails), 1)

    def test_what_is_refused_for_good_is_given_up_and_told(self):
        server, sink = self.served("starttls")
        sink.refusals.append("550 Nobody here")
        user = self.invite(server, "ada@example.com")
        path = f"/v1/tenants/{user['tenant_id']}/audit?action=mail.undeliverable"
        told = eventually(lambda: server.operator.expect(200, "GET", path)["items"], 30)
        self.assertEqual(len(told), 1)
        self.assertNotIn("clv_l_", str(told))
        self.assertEqual(sink.mails, [])


on_every_engine(globals(), Mails)
