"""oidc-provider-mock (on Authlib) for tests, on a free port of 127.0.0.1.

Prints one JSON line {"issuer": …} when it is ready and ends with its standard input.
"""

import importlib.metadata
import logging
import os
import warnings

import lifeline

lifeline.end_with_input()
# Plain http, on this machine only.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
warnings.simplefilter("ignore")

import oidc_provider_mock  # noqa: E402
import werkzeug.serving  # noqa: E402

logging.getLogger("werkzeug").setLevel(logging.ERROR)
app = oidc_provider_mock.app()
server = werkzeug.serving.make_server("127.0.0.1", 0, app, threaded=True)
lifeline.ready(
    issuer=f"http://127.0.0.1:{server.server_port}", version=importlib.metadata.version("oidc-provider-mock")
)
server.serve_forever()
