#!/usr/bin/env bash
# Orthanc 1.10.1 with its DICOMweb plugin 1.7 (Debian 12): values of a QIDO-RS search are compared as they stand in the
# address, escapes included. PatientName=Doe%5EJane*, which is how every HTTP library writes Doe^Jane*, finds nothing and
# answers 200 with an empty list; the same with a bare ^, which RFC 3986 does not allow in an address, finds the study. So do
# P%31 and P1. A client that escapes as it should tells its user that the PACS has no such patient.
#
# Exits 0 while that is so, and 1 when the counts are others.
set -euo pipefail
folder=$(mktemp -d)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
trap '{ [ -z "${server:-}" ] || { kill "$server"; wait "$server"; }; } 2>/dev/null; rm -rf "$folder"' EXIT
if ! command -v Orthanc >/dev/null; then
    apt-get update -qq
    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        orthanc=1.10.1+dfsg-2+deb12u1 orthanc-dicomweb=1.7+dfsg-6+b2
fi
cat > "$folder/orthanc.json" <<JSON
{
    "StorageDirectory": "$folder/storage", "IndexDirectory": "$folder/index", "HttpPort": $port, "DicomServerEnabled": false,
    "RemoteAccessAllowed": false, "AuthenticationEnabled": false, "Plugins": ["/usr/share/orthanc/plugins"],
    "DicomWeb": {"Enable": true, "Root": "/dicom-web/"}
}
JSON
Orthanc "$folder/orthanc.json" 2> "$folder/log" &
server=$!
for _ in $(seq 100); do
    curl -s -o /dev/null http://127.0.0.1:$port/dicom-web/studies && break
    sleep 0.1
done
python3 - "$port" <<'PYTHON'
import http.client
import json
import struct
import sys


def ask(method, target, body=None, headers=()):
    """The target goes over the wire as it is written here."""
    connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
    connection.request(method, target, body, {"Accept": "application/dicom+json", **dict(headers)})
    answer = connection.getresponse()
    return answer, answer.read()


def element(group, number, vr, text):
    padded = text + (" " if vr != "UI" else "\0") * (len(text) % 2)
    return struct.pack("<HH2sH", group, number, vr.encode(), len(padded)) + padded.encode()


def store(number):
    """A secondary capture of a patient of her own, by STOW-RS."""
    uid = "1.2.840.10008.5.1.4.1.1.7"
    meta = element(2, 2, "UI", uid) + element(2, 3, "UI", f"2.25.3{number}") + element(2, 16, "UI", "1.2.840.10008.1.2.1")
    data = [(8, 0x16, "UI", uid), (8, 0x18, "UI", f"2.25.3{number}"), (8, 0x60, "CS", "OT"),
            (0x10, 0x10, "PN", f"Doe^Jane {number}"), (0x10, 0x20, "LO", f"P{number}"),
            (0x20, 0x0D, "UI", f"2.25.1{number}"), (0x20, 0x0E, "UI", f"2.25.2{number}")]
    file = bytes(128) + b"DICM\x02\0\0\0UL\x04\0" + struct.pack("<I", len(meta)) + meta
    file += b"".join(element(*one) for one in data)
    body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + file + b"\r\n--b--\r\n"
    kind = 'multipart/related; type="application/dicom"; boundary=b'
    answer, _ = ask("POST", "/dicom-web/studies", body, {"Content-Type": kind}.items())
    assert answer.status == 200, answer.status


def found(query):
    answer, body = ask("GET", f"/dicom-web/studies?{query}")
    assert answer.status == 200, answer.status
    return len(json.loads(body)), answer.getheader("Warning")


store(1)
queries = ["PatientID=P1", "PatientID=P%31", "PatientName=Doe^Jane*", "PatientName=Doe%5EJane*", "PatientName=Doe?Jane*"]
counts = [found(query)[0] for query in queries]
for query, count in zip(queries, counts):
    print(f"{query}: {count} of 1 study")
sys.exit(counts != [1, 0, 1, 0, 1])
PYTHON
