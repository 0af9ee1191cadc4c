#!/usr/bin/env bash
# Orthanc 1.10.1 with its DICOMweb plugin 1.7 (Debian 12), whose storage is on a full disk: STOW-RS answers 200 to an object that
# it could not write. The object stands neither among the stored ones (ReferencedSOPSequence) nor among the failed
# (FailedSOPSequence, which PS3.18 asks for, with 409 where nothing was stored). A client that looks at the status, or at the
# list of failures, deletes what it believes to be archived.
#
# Needs the right to mount a tmpfs of 1 MB. Exits 0 while that is so, and 1 when the answers are others.
set -euo pipefail
folder=$(mktemp -d)
mkdir "$folder/storage"
mount -t tmpfs -o size=1m tmpfs "$folder/storage"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
trap '{ [ -z "${server:-}" ] || { kill "$server"; wait "$server"; }; } 2>/dev/null; umount -l "$folder/storage"; rm -rf "$folder"' EXIT
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
    """A secondary capture of 300 kilobytes, by STOW-RS: the status, and how many objects the answer lists as stored and failed."""
    uid = "1.2.840.10008.5.1.4.1.1.7"
    meta = element(2, 2, "UI", uid) + element(2, 3, "UI", f"2.25.3{number}") + element(2, 16, "UI", "1.2.840.10008.1.2.1")
    data = [(8, 0x16, "UI", uid), (8, 0x18, "UI", f"2.25.3{number}"), (8, 0x60, "CS", "OT"),
            (0x10, 0x20, "LO", f"P{number}"), (0x20, 0x0D, "UI", f"2.25.1{number}"), (0x20, 0x0E, "UI", f"2.25.2{number}")]
    file = bytes(128) + b"DICM\x02\0\0\0UL\x04\0" + struct.pack("<I", len(meta)) + meta
    file += b"".join(element(*one) for one in data)
    file += struct.pack("<HH2sHI", 0x0042, 0x0011, b"OB", 0, 300_000) + bytes(300_000)
    body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + file + b"\r\n--b--\r\n"
    kind = 'multipart/related; type="application/dicom"; boundary=b'
    answer, text = ask("POST", "/dicom-web/studies", body, {"Content-Type": kind}.items())
    told = json.loads(text)
    return answer.status, *(len(told.get(tag, {}).get("Value", [])) for tag in ("00081199", "00081198"))


answers = [store(number) for number in range(10, 16)]
for answer in answers:
    print("status {}: {} stored, {} failed".format(*answer))
_, studies = ask("GET", "/dicom-web/studies")
print("studies in Orthanc:", len(json.loads(studies)))
sys.exit(answers != [(200, 1, 0)] * 3 + [(200, 0, 0)] * 3 or len(json.loads(studies)) != 3)
PYTHON
