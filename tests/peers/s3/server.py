"""An S3 server on 127.0.0.1: moto, and the check of presigned URLs, which moto leaves out.

Usage: server.py PORT FILES_DIR BYTES_PER_SECOND (0: no limit)

Each file `FILES_DIR/ENCODING/NAME` becomes the object `ENCODING/NAME` with that Content-Encoding, and none if ENCODING is
`identity`. `GET /control/presign?key=KEY&expires=SECONDS&skew=SECONDS` answers with a URL that a backend presigned whose
clock is fast by `skew`. The objects are in memory; a restart uploads them again.
"""

import datetime
import hmac
import sys
import time
import urllib.parse
from pathlib import Path
from threading import Thread

import boto3
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

BUCKET = "avatars"
REGION = "us-east-1"
CREDENTIALS = Credentials("PEERACCESSKEY", "peer-secret-key-for-loopback-only")
CHUNK = 16 * 1024
# S3 accepts requests from clocks that are fast by at most this.
LARGEST_SKEW = datetime.timedelta(minutes=15)


def timestamp(moment: datetime.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def error(code: str, message: str, details: str = "") -> Response:
    """An error of S3, in the form of its documentation."""
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{message}</Message>{details}"
        "<RequestId>4B1D5A3C2E6F7081</RequestId><HostId>peer</HostId></Error>"
    )
    return Response(body, 403, content_type="application/xml")


def aws_request(url: str, amz_date: str) -> AWSRequest:
    request = AWSRequest("GET", url, headers={"host": urllib.parse.urlsplit(url).netloc})
    request.context["timestamp"] = amz_date
    return request


def signature(signer: S3SigV4QueryAuth, request: AWSRequest) -> str:
    return signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)


def presign(url: str, moment: datetime.datetime, expires: int) -> str:
    """Like `generate_presigned_url` of boto3, which cannot be told the time."""
    signer = S3SigV4QueryAuth(CREDENTIALS, "s3", REGION, expires)
    request = aws_request(url, moment.strftime("%Y%m%dT%H%M%SZ"))
    signer._modify_request_before_signing(request)
    signer._inject_signature_to_request(request, signature(signer, request))
    return request.url


def refusal(request: Request) -> Response | None:
    """Why S3 would refuse this presigned request. Like S3, looks at the time first, then at the signature."""
    query = request.args
    begin = datetime.datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    end = begin + datetime.timedelta(seconds=int(query["X-Amz-Expires"]))
    now = datetime.datetime.now(datetime.timezone.utc)
    if begin > now + LARGEST_SKEW:
        details = (
            f"<X-Amz-Date>{int(begin.timestamp() * 1000)}</X-Amz-Date>"
            f"<Expires>{timestamp(end)}</Expires><ServerTime>{timestamp(now)}</ServerTime>"
        )
        return error("AccessDenied", "Request is not yet valid", details)
    if now >= end:
        details = (
            f"<X-Amz-Expires>{query['X-Amz-Expires']}</X-Amz-Expires>"
            f"<Expires>{timestamp(end)}</Expires><ServerTime>{timestamp(now)}</ServerTime>"
        )
        return error("AccessDenied", "Request has expired", details)
    signed = [part for part in request.query_string.decode().split("&") if not part.startswith("X-Amz-Signature=")]
    path = urllib.parse.quote(request.path, safe="/-_.~")
    url = f"http://{request.host}{path}?{'&'.join(signed)}"
    expected = signature(S3SigV4QueryAuth(CREDENTIALS, "s3", REGION), aws_request(url, query["X-Amz-Date"]))
    if not hmac.compare_digest(expected, query["X-Amz-Signature"]):
        return error(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. "
            "Check your key and signing method.",
        )
    return None


class PeerApplication:
    """moto, behind the check of presigned URLs."""

    def __init__(self, bytes_per_second: int):
        self.bytes_per_second = bytes_per_second
        self.moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ, start_response):
        request = Request(environ)
        if request.path == "/control/presign":
            skew = datetime.timedelta(seconds=int(request.args.get("skew", 0)))
            url = f"http://{request.host}/{BUCKET}/{request.args['key']}"
            moment = datetime.datetime.now(datetime.timezone.utc) + skew
            return Response(presign(url, moment, int(request.args["expires"])))(environ, start_response)
        if "X-Amz-Signature" not in request.args:
            return self.moto(environ, start_response)
        refused = refusal(request)
        if refused is not None:
            return refused(environ, start_response)
        content = self.moto(environ, start_response)
        return self.paced(content) if self.bytes_per_second else content

    def paced(self, content):
        for part in content:
            for begin in range(0, len(part), CHUNK):
                yield part[begin : begin + CHUNK]
                time.sleep(CHUNK / self.bytes_per_second)


def upload(files: Path) -> None:
    """Uploads all files. All servers of this process share their objects; this one is only for the upload."""
    application = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{server.server_port}",
        region_name=REGION,
        aws_access_key_id=CREDENTIALS.access_key,
        aws_secret_access_key=CREDENTIALS.secret_key,
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}, proxies={}),
    )
    client.create_bucket(Bucket=BUCKET)
    for file in sorted(path for path in files.rglob("*") if path.is_file()):
        headers = {"ContentType": "model/gltf-binary"}
        if file.parent.name != "identity":
            headers["ContentEncoding"] = file.parent.name
        client.put_object(Bucket=BUCKET, Key=file.relative_to(files).as_posix(), Body=file.read_bytes(), **headers)
    server.shutdown()
    thread.join()


def main() -> None:
    port, files, bytes_per_second = int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    upload(files)
    application = PeerApplication(bytes_per_second)
    make_server("127.0.0.1", port, application, threaded=True, request_handler=MotoRequestHandler).serve_forever()


main()
