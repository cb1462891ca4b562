"""Debian's Caddy with the committed example, `forward_auth` in front of a service."""

from harness import Process, example, on_every_engine, program
from proxy_cases import ProxyCases

# What the example leaves to the Caddyfile that imports it: nothing is listened on but the site itself.
AROUND = """
{{
	admin off
	auto_https off
}}
import {folder}/example
"""


class Caddy(ProxyCases):
    """Caddy passes every answer on that is not a success, so the example asks for plain statuses."""

    rate_limited = 429
    unreachable = 502
    listens_on = ":8080"

    @classmethod
    def configure(cls, folder, **replacements):
        (folder / "example").write_text(example("Caddyfile", **replacements))
        (folder / "Caddyfile").write_text(AROUND.format(folder=folder))
        command = [program("caddy"), "run", "--config", folder / "Caddyfile", "--adapter", "caddyfile"]
        return Process("caddy", command, folder, HOME=str(folder), XDG_DATA_HOME=str(folder), XDG_CONFIG_HOME=str(folder))


on_every_engine(globals(), Caddy)
