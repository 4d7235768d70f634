"""A client of the Copresence Integration API, tested against the sandbox. Python's standard library alone.

    python3 docs/examples/test_sandbox.py

needs `copresence` on the PATH.
"""

import json
import subprocess
import unittest
import urllib.error
import urllib.request


class Sandbox:
    """A sandbox on a free port, with credentials of its own."""

    def __init__(self, *options):
        command = ["copresence", "sandbox", "--json", "--listen", "127.0.0.1:0", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.about = json.loads(self.process.stdout.readline())

    def stop(self):
        self.process.terminate()
        self.process.stdout.close()
        self.process.wait()

    def ask(self, method, path, body=None, **headers):
        """The status and the JSON of an answer."""
        url = path if path.startswith("http") else self.about["url"] + path
        data = None if body is None else json.dumps(body).encode()
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(url, data, names, method=method)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, json.loads(answer.read() or "null")
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, json.loads(refused.read())

    def generate(self):
        _, body = self.ask(
            "POST",
            "/generateExportToken",
            X_Copresence_REST_API_Key=self.about["api_key"],
            X_Copresence_Session_Token=self.about["session_token"],
        )
        return body["token"]

    def redeem(self, token):
        return self.ask(
            "GET",
            "/redeemExportToken",
            X_Copresence_REST_API_Key=self.about["api_key"],
            X_Copresence_Export_Token=token,
        )

    def associate(self, token):
        return self.ask("POST", f"/sandbox/tokens/{token}/associate", {"avatar": "ari"})


class RedeemTest(unittest.TestCase):
    def setUp(self):
        self.sandbox = Sandbox("--scenario", "existing-avatar")
        self.addCleanup(self.sandbox.stop)

    def test_a_token_is_spent_by_the_answer_with_the_urls(self):
        token = self.sandbox.generate()
        status, body = self.sandbox.redeem(token)
        self.assertEqual((status, body["avatar_ready"]), (200, False))
        self.assertEqual(body["payload_incomplete"]["completion_status"], "no_associated_avatar")
        self.sandbox.associate(token)
        status, body = self.sandbox.redeem(token)
        self.assertEqual((status, body["avatar_ready"]), (200, True))
        self.assertEqual(self.sandbox.redeem(token)[0], 400)
        with urllib.request.urlopen(body["payload_complete"][0]["download_URL"]) as file:
            self.assertEqual(file.read(4), b"glTF")
            file.read()

    def test_a_lost_answer_costs_the_token(self):
        fault = {"on": "redeem", "ready": True, "nth": [1], "do": "reset_after_spending"}
        self.sandbox.ask("PUT", "/sandbox/faults", [fault])
        token = self.sandbox.generate()
        self.sandbox.associate(token)
        with self.assertRaises(OSError):
            self.sandbox.redeem(token)
        self.assertEqual(self.sandbox.redeem(token)[0], 400)

    def test_a_busy_backend_says_when_to_come_again(self):
        fault = {"on": "redeem", "nth": [1], "do": {"status": {"code": 503, "retry_after": 1}}}
        self.sandbox.ask("PUT", "/sandbox/faults", [fault])
        token = self.sandbox.generate()
        self.assertEqual(self.sandbox.redeem(token)[0], 503)
        self.assertEqual(self.sandbox.redeem(token)[0], 200)


if __name__ == "__main__":
    unittest.main()
