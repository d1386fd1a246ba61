"""Assertions in S3's words, checksums computed independently of the server and of the SDKs, and bodies to send."""

import base64
import functools
import hashlib
import random
import zlib

import pytest
from botocore.exceptions import ClientError

MIB = 1024 * 1024


def fails(code, status, call, **parameters):
    """Calls the operation and expects exactly this S3 error; gives the parsed answer."""
    codes = code if isinstance(code, tuple) else (code,)
    statuses = status if isinstance(status, tuple) else (status,)
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    answer = caught.value.response
    found = answer["Error"].get("Code"), answer["ResponseMetadata"]["HTTPStatusCode"]
    assert found[0] in codes and found[1] in statuses, f"expected {code} {status}, got {found}: {answer['Error']}"
    return answer


def noise(size, seed=0):
    """The same incompressible bytes for the same seed."""
    return random.Random(f"{seed}/{size}").randbytes(size)


def md5(data):
    return hashlib.md5(data).hexdigest()


def multipart_etag(parts):
    return '"%s-%d"' % (hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest(), len(parts))


def _table(polynomial):
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (polynomial if value & 1 else 0)
        table.append(value)
    return table


_CRC32C = _table(0x82F63B78)
_CRC64NVME = _table(0x9A6C9329AC4BC9B5)


def _reflected(data, table, bits):
    value = ones = (1 << bits) - 1
    for byte in data:
        value = value >> 8 ^ table[(value ^ byte) & 0xFF]
    return (value ^ ones).to_bytes(bits // 8, "big")


DIGESTS = {
    "CRC32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    "CRC32C": lambda data: _reflected(data, _CRC32C, 32),
    "CRC64NVME": lambda data: _reflected(data, _CRC64NVME, 64),
    "SHA1": lambda data: hashlib.sha1(data).digest(),
    "SHA256": lambda data: hashlib.sha256(data).digest(),
}


@functools.lru_cache(maxsize=64)
def checksum(algorithm, data):
    return base64.b64encode(DIGESTS[algorithm](data)).decode()


def composite(algorithm, parts):
    """The checksum of the parts' checksums, as S3 gives it for COMPOSITE uploads."""
    joined = b"".join(base64.b64decode(checksum(algorithm, part)) for part in parts)
    return f"{checksum(algorithm, joined)}-{len(parts)}"


def body_of(answer):
    return answer["Body"].read()
