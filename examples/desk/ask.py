"""Asks at the desk of an agent: ask.py PORT TOKEN-FILE DOCUMENT SCHEME:VALUE PURPOSE"""
import json, sys
from urllib.error import HTTPError
from urllib.request import Request, urlopen

port, token, document, of, purpose = sys.argv[1:]
question = json.dumps({"document": document, "of": of, "for": purpose}).encode()
headers = {"Authorization": "Bearer " + open(token).read().strip()}
try:
    answer = json.load(urlopen(Request(f"http://127.0.0.1:{port}/ask", question, headers)))
except HTTPError as refusal:  # no_record is 404, a refusal has its own status
    answer = json.load(refusal)
print(json.dumps(answer))
