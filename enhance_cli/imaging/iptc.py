"""IPTC-IIM records (headline, keywords, rights), which files hold among Photoshop's image resources."""

from __future__ import annotations

import struct

PHOTOSHOP = b"Photoshop 3.0\0"
"""What the segment of a JPEG that holds image resources begins with."""
_RECORDS = 0x0404


def records_of(resources: bytes) -> bytes | None:
    """The IPTC-IIM records among Photoshop's image resources."""
    at = 0
    while resources[at : at + 4] == b"8BIM" and at + 12 <= len(resources):
        kind = int.from_bytes(resources[at + 4 : at + 6], "big")
        # The name is a Pascal string; it and the body are padded to even lengths.
        start = at + 6 + (resources[at + 6] + 2) // 2 * 2
        length = int.from_bytes(resources[start : start + 4], "big")
        body = resources[start + 4 : start + 4 + length]
        if kind == _RECORDS and body:
            return body
        at = start + 4 + (length + 1) // 2 * 2
    return None


def resources_of(iptc: bytes) -> bytes:
    """IPTC-IIM records as one image resource."""
    return b"8BIM\x04\x04\0\0" + struct.pack(">I", len(iptc)) + iptc + b"\0" * (len(iptc) % 2)
