"""Runs rocrate-validator where there is no network: the context of RO-Crate 1.1 comes from a file.

    python3 ro_crate.py CONTEXT.jsonld FOLDER

Needs the package roc-validator (0.13). The context is what https://w3id.org/ro/crate/1.1/context answers.
"""

import email.message
import io
import sys
import urllib.request

import rdflib.parser
import requests
import urllib3

WANTED = "ro/crate/1.1/context"
KIND = "application/ld+json"

context_file, folder = sys.argv[1:]
with open(context_file, "rb") as file:
    context = file.read()


class Answer(io.BytesIO):
    """What urllib would have got."""

    def __init__(self):
        super().__init__(context)
        self.headers = email.message.Message()
        self.headers["Content-Type"] = KIND

    def geturl(self):
        return "https://w3id.org/" + WANTED

    def info(self):
        return self.headers


def instead(ask):
    def answer(request, *rest, **named):
        url = request if isinstance(request, str) else request.full_url
        return Answer() if WANTED in url else ask(request, *rest, **named)

    return answer


def send(self, request, **named):
    if WANTED not in request.url:
        return asked(self, request, **named)
    response = requests.Response()
    response.status_code, response._content = 200, context
    response.url, response.request = request.url, request
    response.headers["Content-Type"] = KIND
    body = io.BytesIO(context)
    response.raw = urllib3.HTTPResponse(body=body, headers={"Content-Type": KIND}, status=200, preload_content=False)
    return response


rdflib.parser._urlopen = instead(rdflib.parser._urlopen)
urllib.request.urlopen = instead(urllib.request.urlopen)
asked = requests.adapters.HTTPAdapter.send
requests.adapters.HTTPAdapter.send = send

from rocrate_validator.cli.main import cli  # noqa: E402  after what it asks was put in place

sys.argv = ["rocrate-validator", "validate", "--no-paging", "--requirement-severity", "REQUIRED", folder]
cli()
