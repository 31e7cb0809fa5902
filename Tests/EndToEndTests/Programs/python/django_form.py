"""A form as Django's tutorial has it: CSRF protection on, nothing set that tells of a proxy."""
import cheroot.wsgi
from django.conf import settings

settings.configure(
    DEBUG=True,
    SECRET_KEY="x" * 50,
    ROOT_URLCONF=__name__,
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
    ],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
)

import django  # noqa: E402

django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpResponse, HttpResponseRedirect  # noqa: E402
from django.template import engines  # noqa: E402
from django.urls import path  # noqa: E402

PAGE = """<!doctype html><title>form</title>
<form method="post">{% csrf_token %}<input name="word" value="hello"></form>
{% if sends %}<script>document.forms[0].submit()</script>{% endif %}"""


def form(request):
    if request.method == "POST":
        place = request.build_absolute_uri("/done/?word=" + request.POST["word"])
        answer = HttpResponseRedirect(place)
        answer.set_cookie("posted", request.POST["word"])
        return answer
    page = engines["django"].from_string(PAGE)
    return HttpResponse(page.render({"sends": "sends" in request.GET}, request))


def done(request):
    return HttpResponse("done %s %s\n" % (request.GET["word"], request.COOKIES.get("posted")))


urlpatterns = [path("form/", form), path("done/", done)]

server = cheroot.wsgi.Server(("127.0.0.1", 0), get_wsgi_application())
server.prepare()
print("listening on", server.bind_addr[1], flush=True)
server.serve()
