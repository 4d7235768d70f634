"""Verifies a passport with the library of in-toto: `verify_and_rejudge_passport.py FILE`. Ends with 1 if the signature does not match."""

import base64
import json
import sys

from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

with open(sys.argv[1], encoding="utf-8") as file:
    envelope = Envelope.from_dict(json.load(file))
(keyid,) = envelope.signatures
public = base64.b64decode(keyid.removeprefix("ed25519:")).hex()
key = SSlibKey(keyid, "ed25519", "ed25519", {"public": public})
try:
    envelope.verify([key], 1)
except VerificationError as error:
    sys.exit(str(error))
statement = json.loads(envelope.payload)
assert statement["_type"] == "https://in-toto.io/Statement/v1", statement["_type"]
assert all(len(subject["digest"]["sha256"]) == 64 for subject in statement["subject"])
