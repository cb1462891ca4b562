"""Debian's nginx with the committed example, `auth_request` in front of a service."""

from harness import Process, example, on_every_engine, program
from proxy_cases import ProxyCases

# What the example leaves to the nginx that includes it, all within the test's own folder.
AROUND = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/example.conf;
}}
"""


class Nginx(ProxyCases):
    """nginx knows 401 and 403 as refusals and turns every other answer into 500."""

    rate_limited = 403
    unreachable = 500
    listens_on = "127.0.0.1:8080"

    @classmethod
    def configure(cls, folder, **replacements):
        (folder / "example.conf").write_text(example("nginx.conf", **replacements))
        (folder / "nginx.conf").write_text(AROUND.format(folder=folder))
        # The worker runs as another user when nginx is started by root, and keeps large bodies in files here.
        folder.chmod(0o711)
        return Process("nginx", [program("nginx"), "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr"], folder)


on_every_engine(globals(), Nginx)
