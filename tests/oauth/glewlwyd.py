"""Debian's Glewlwyd for tests, on a free port of 127.0.0.1, from the folder that its package was unpacked to.

CLAVIGER_TEST_GLEWLWYD names the folder. Prints one JSON line {"issuer": …} when it is ready and ends with its standard
input, and the server with it. Its user is `admin`, whose password is `password`.
"""

import ctypes
import gzip
import http.cookiejar
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from jwcrypto.jwk import JWK

import lifeline

SECRET = "svc-secret-0123456789abcdef0123456789"
ODD_SECRET = "p:%+&= /x~s3cret-0123456789abcdef"
ROOT = Path(os.environ["CLAVIGER_TEST_GLEWLWYD"])
HOME = Path(tempfile.mkdtemp(prefix="claviger-glewlwyd-"))

running = []


def last():
    for process in running:
        process.kill()
        process.wait()
    shutil.rmtree(HOME, ignore_errors=True)


lifeline.end_with_input(last)


def packed(name):
    return gzip.decompress((ROOT / "usr/share/doc/glewlwyd" / name).read_bytes()).decode()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def configured(port):
    """The package's sample, with what must be ours."""
    text = packed("glewlwyd.conf.sample.gz")
    lines = {
        "port": f'{port}\nbind_address="127.0.0.1"',
        "external_url": f'"http://127.0.0.1:{port}"',
        "cookie_domain": '"127.0.0.1"',
        "cookie_secure": "0",
        "log_level": '"NONE"',
    }
    for name, value in lines.items():
        text = re.sub(rf"(?m)^{name}=.*$", f"{name}={value}", text)
    text = text.replace("/var/cache/glewlwyd/glewlwyd.db", str(HOME / "db"))
    for folder in ("lib", "share"):
        text = text.replace(f'"/usr/{folder}/glewlwyd', f'"{ROOT}/usr/{folder}/glewlwyd')
    path = HOME / "conf"
    path.write_text(text)
    return path


def ends_with_us():
    # Should this process be killed, so is the server.
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def start():
    sqlite3.connect(HOME / "db").executescript(packed("database/init.sqlite3.sql.gz")).close()
    port = free_port()
    command = [ROOT / "usr/bin/glewlwyd", f"--config-file={configured(port)}"]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, preexec_fn=ends_with_us)
    running.append(process)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process, port
        time.sleep(0.02)
    process.kill()
    sys.exit("glewlwyd does not answer")


def plugin(issuer):
    key = JWK.generate(kty="RSA", size=2048)
    return {
        "module": "oidc",
        "name": "oidc",
        "display_name": "OIDC",
        "parameters": {
            "iss": issuer,
            "jwt-type": "rsa",
            "jwt-key-size": "256",
            "key": key.export_to_pem(True, None).decode(),
            "cert": key.export_to_pem().decode(),
            "jwks-show": True,
            "access-token-duration": 120,
            "refresh-token-duration": 3600,
            "code-duration": 60,
            "refresh-token-rolling": True,
            "refresh-token-one-use": "always",
            "allow-non-oidc": True,
            "auth-type-code-enabled": True,
            "auth-type-code-revoke-replayed": True,
            "auth-type-token-enabled": False,
            "auth-type-id-token-enabled": True,
            "auth-type-password-enabled": False,
            "auth-type-client-enabled": True,
            "auth-type-refresh-enabled": True,
            "auth-type-none-enabled": True,
            "auth-type-device-enabled": True,
            "device-authorization-expiration": 120,
            "device-authorization-interval": 1,
            "pkce-allowed": True,
            "pkce-method-plain-allowed": False,
            "pkce-required": True,
            "introspection-revocation-allowed": True,
            "introspection-revocation-allow-target-client": True,
            "introspection-revocation-auth-scope": [],
            "request-parameter-allow": True,
            "request-parameter-allow-encrypted": False,
            "register-client-allowed": True,
            "register-client-auth-scope": [],
            "register-client-credentials-scope": [],
            "register-client-management-allowed": True,
            "oauth-dpop-allowed": True,
            "oauth-dpop-iat-duration": 60,
            "oauth-par-allowed": True,
            "oauth-par-duration": 90,
            "oauth-par-request_uri-prefix": "urn:ietf:params:oauth:request_uri:",
            "oauth-rar-allowed": False,
            "resource-allowed": True,
            "resource-scope": {"openid": ["https://api.example/"]},
            "resource-client-property": "",
            "resource-scope-and-client-property": False,
            "resource-change-allowed": False,
            "allowed-scope": ["openid"],
            "scope": [],
            "additional-parameters": [],
            "claims": [],
            "subject-type": "public",
            "restrict-scope-client-property": "",
            "session-management-allowed": False,
            "front-channel-logout-allowed": False,
            "back-channel-logout-allowed": False,
            "secret-type": "",
            "client-pubkey-parameter": "",
            "client-jwks-parameter": "jwks",
            "client-jwks_uri-parameter": "jwks_uri",
            "service-documentation": "",
            "op-policy-uri": "",
            "op-tos-uri": "",
            "name-claim": "no",
            "email-claim": "no",
            "scope-claim": "no",
            "address-claim": {"type": "no"},
        },
    }


def service(client_id, way, secret=SECRET):
    return {
        "client_id": client_id,
        "name": client_id,
        "confidential": True,
        "client_secret": secret,
        "password": secret,
        "enabled": True,
        "redirect_uri": [],
        "authorization_type": ["client_credentials"],
        "scope": ["openid"],
        "token_endpoint_auth_method": [way],
    }


process, port = start()
base = f"http://127.0.0.1:{port}"
browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))


def tell(method, path, body):
    request = urllib.request.Request(f"{base}/api{path}", json.dumps(body).encode(), method=method)
    request.add_header("content-type", "application/json")
    try:
        browser.open(request).read()
    except urllib.error.HTTPError as error:
        sys.exit(f"{method} {path}: {error.code} {error.read().decode()}")


tell("POST", "/auth/", {"username": "admin", "password": "password"})
tell("POST", "/mod/plugin/", plugin(f"{base}/api/oidc"))
for client in (
    service("svc", "client_secret_basic"),
    service("svcpost", "client_secret_post"),
    service("svcodd", "client_secret_basic", ODD_SECRET),
):
    tell("POST", "/client/", client)
scopes = ["g_admin", "g_profile", "openid"]
tell("PUT", "/user/admin", {"username": "admin", "name": "Alice Example", "email": "a@example.com", "enabled": True, "scope": scopes})

version = subprocess.run([ROOT / "usr/bin/glewlwyd", "--version"], capture_output=True, text=True).stdout

lifeline.ready(issuer=f"{base}/api/oidc", version="".join(re.findall(r"[0-9]+(?:\.[0-9]+)+", version)[:1]))
process.wait()
# Whoever ended it cleans up; if it ended by itself, that is left to do.
time.sleep(5)
shutil.rmtree(HOME, ignore_errors=True)
