"""nginx's stream module."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from tests.interop.peers.peer import Reasons, output
from tests.interop.peers.proxy import MARK, Proxy
from tests.interop.peers.terms import ALPN, CLIENT, HALF_CLOSE, Terms
from tests.kit.certificates import ADDRESS, HOST
from tests.kit.programs import Process

# Debian has it as a module to be loaded, others inside nginx.
MODULE = Path("/usr/lib/nginx/modules/ngx_stream_module.so")


class Nginx(Proxy):
    name = "nginx"
    programs = ("nginx",)
    packages = ("nginx", "libnginx-mod-stream")
    cannot: ClassVar[Reasons] = {
        (CLIENT, ALPN): "The stream module has no setting for the ALPN of a proxied connection.",
        (CLIENT, HALF_CLOSE): "The stream module has no half-close of TLS for a proxied connection.",
    }

    def missing(self) -> str | None:
        missing = super().missing()
        if missing is None and not MODULE.exists() and "--with-stream " not in output("nginx", "-V"):
            return f"needs nginx's stream module: {self.install}"
        return missing

    def version(self) -> str:
        return output("nginx", "-v").strip().rpartition("/")[2]

    def process(self, terms: Terms, role: str, port: int, to: int) -> Process:
        tls = of_server(terms) if role == "server" else of_client(terms)
        text = f"""
            daemon off;
            worker_processes 1;
            pid {terms.folder}/pid;
            error_log stderr notice;
            {f"load_module {MODULE};" if MODULE.exists() else ""}
            events {{}}
            stream {{
                log_format facts "{MARK} {FACTS[role]}";
                access_log /dev/stdout facts;
                proxy_half_close {"on" if terms.half_close else "off"};
                server {{
                    listen {ADDRESS}:{port}{" ssl" if role == "server" else ""};
                    proxy_pass {ADDRESS}:{to};
                    {tls}
                }}
            }}
        """
        (terms.folder / "nginx.conf").write_text(text)
        process = Process("nginx", "-p", terms.folder, "-c", terms.folder / "nginx.conf")
        try:
            process.line_with("start worker processes")
        except BaseException:
            process.__exit__()
            raise
        return process


FACTS = {
    "server": (
        "version=$ssl_protocol alpn=$ssl_alpn_protocol resumed=$ssl_session_reused certificate=$ssl_client_serial"
    ),
    "client": "",  # no variable tells of a proxied connection
}


def of_server(terms: Terms) -> str:
    chain, key = terms.certificates.server
    demand = f"ssl_verify_client on; ssl_client_certificate {terms.certificates.ca_file};"
    return f"""
        ssl_certificate {chain};
        ssl_certificate_key {key};
        ssl_protocols {terms.name};
        ssl_session_cache shared:sessions:1m;
        {f"ssl_alpn {' '.join(terms.alpn)};" if terms.alpn else ""}
        {demand if terms.demands_certificate else ""}
    """


def of_client(terms: Terms) -> str:
    own = ""
    if terms.client_credentials is not None:
        chain, key = terms.client_credentials
        own = f"proxy_ssl_certificate {chain}; proxy_ssl_certificate_key {key};"
    return f"""
        proxy_ssl on;
        proxy_ssl_protocols {terms.name};
        proxy_ssl_verify on;
        proxy_ssl_trusted_certificate {terms.certificates.ca_file};
        proxy_ssl_name {HOST};
        proxy_ssl_server_name on;
        {own}
    """
