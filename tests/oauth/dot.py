"""django-oauth-toolkit for tests, on a free port of 127.0.0.1, with everything in memory.

Prints one JSON line {"issuer": …} when it is ready and ends with its standard input. One request at a time: its database
lives in this process only.
"""

import importlib.metadata
import secrets
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django
from django.conf import settings
from jwcrypto.jwk import JWK

import lifeline

SECRET = "svc-secret-0123456789abcdef0123456789"
ODD_SECRET = "p:%+&= /x~s3cret-0123456789abcdef"
PAGES = {
    "registration/login.html": "<form method='post' action=\"{{ request.get_full_path }}\">{% csrf_token %}"
    "{{ form.as_p }}<input type='hidden' name='next' value='{{ next }}'></form>",
}


lifeline.end_with_input()


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


server = make_server("127.0.0.1", 0, None, handler_class=Quiet)
base = f"http://127.0.0.1:{server.server_port}"
settings.configure(
    SECRET_KEY=secrets.token_urlsafe(40),
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "oauth2_provider",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                ],
                "loaders": [
                    ("django.template.loaders.locmem.Loader", PAGES),
                    "django.template.loaders.app_directories.Loader",
                ],
            },
        }
    ],
    # Quick on purpose: nothing here is worth guessing.
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    LOGIN_URL="/login/",
    USE_TZ=True,
    LOGGING_CONFIG=None,
    OAUTH2_PROVIDER={
        "SCOPES": {"openid": "who you are", "read": "read", "write": "write"},
        "PKCE_REQUIRED": True,
        "ROTATE_REFRESH_TOKEN": True,
        "REFRESH_TOKEN_REUSE_PROTECTION": True,
        "ACCESS_TOKEN_EXPIRE_SECONDS": 60,
        "ALLOWED_REDIRECT_URI_SCHEMES": ["http", "https"],
        "OIDC_ENABLED": True,
        "OIDC_ISS_ENDPOINT": f"{base}/o",
        "OIDC_RSA_PRIVATE_KEY": JWK.generate(kty="RSA", size=2048).export_to_pem(True, None).decode(),
        "DCR_ENABLED": True,
        "DCR_REGISTRATION_PERMISSION_CLASSES": ("oauth2_provider.dcr.AllowAllDCRPermission",),
        "OAUTH_DEVICE_VERIFICATION_URI": f"{base}/o/device/",
        "OAUTH_DEVICE_VERIFICATION_URI_COMPLETE": lambda code: f"{base}/o/device/?user_code={code}",
        "COMPLIANT_BCP_RFC9700_IMPLICIT_GRANT": True,
        "COMPLIANT_BCP_RFC9700_PASSWORD_GRANT": True,
        "COMPLIANT_BCP_RFC9700_PKCE_METHOD": True,
        "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
        "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True,
    },
)
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.contrib.auth.views import LoginView  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import include, path  # noqa: E402
from oauth2_provider.models import Application  # noqa: E402
from oauth2_provider.urls import metadata_urlpatterns  # noqa: E402

urlpatterns = [
    path("login/", LoginView.as_view()),
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
    path("", include((metadata_urlpatterns, "metadata"))),
]

call_command("migrate", verbosity=0)
alice = User.objects.create_user("alice", "alice@example.com", "x")


def client(client_id, grant, **more):
    kind = "confidential" if "client_secret" in more else "public"
    Application.objects.create(
        client_id=client_id, name=client_id, user=alice, client_type=kind, authorization_grant_type=grant, **more
    )


client(
    "native",
    Application.GRANT_AUTHORIZATION_CODE,
    redirect_uris="http://127.0.0.1/callback http://[::1]/callback",
    algorithm=Application.RS256_ALGORITHM,
)
client("device", Application.GRANT_DEVICE_CODE)
client("svc", Application.GRANT_CLIENT_CREDENTIALS, client_secret=SECRET)
client("svcodd", Application.GRANT_CLIENT_CREDENTIALS, client_secret=ODD_SECRET)

server.set_app(get_wsgi_application())
lifeline.ready(issuer=f"{base}/o", version=importlib.metadata.version("django-oauth-toolkit"))
server.serve_forever()
