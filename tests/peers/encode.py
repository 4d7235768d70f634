"""Encodes standard input for a Content-Encoding: `encode.py gzip|br|zstd < file > encoded`."""

import gzip
import sys

import brotli
import zstandard

ENCODERS = {
    "gzip": gzip.compress,
    "br": lambda content: brotli.compress(content, quality=1),
    "zstd": zstandard.compress,
}

sys.stdout.buffer.write(ENCODERS[sys.argv[1]](sys.stdin.buffer.read()))
