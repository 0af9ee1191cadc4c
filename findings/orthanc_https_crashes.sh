#!/usr/bin/env bash
# Orthanc 1.10.1 as Debian 12 packages it: with SslEnabled and a certificate as its own documentation asks for, the server
# starts, says "HTTPS encryption is enabled", and dies of a segmentation fault at the first connection. No plugin is loaded.
# Who follows the documentation gets no encryption but no server; a proxy in front of it has to encrypt.
#
# Exits 0 while that is so, and 1 when the server lives on.
set -euo pipefail
folder=$(mktemp -d)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
trap 'rm -rf "$folder"' EXIT
if ! command -v Orthanc >/dev/null; then
    apt-get update -qq
    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends orthanc=1.10.1+dfsg-2+deb12u1
fi
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 \
    -keyout "$folder/key.pem" -out "$folder/certificate.pem" 2>/dev/null
cat "$folder/key.pem" "$folder/certificate.pem" > "$folder/both.pem"
cat > "$folder/orthanc.json" <<JSON
{
    "StorageDirectory": "$folder/storage", "IndexDirectory": "$folder/index", "HttpPort": $port, "DicomServerEnabled": false,
    "RemoteAccessAllowed": false, "AuthenticationEnabled": false, "Plugins": [],
    "SslEnabled": true, "SslCertificate": "$folder/both.pem"
}
JSON
Orthanc "$folder/orthanc.json" 2> "$folder/log" &
server=$!
for _ in $(seq 100); do
    grep -q "Orthanc has started" "$folder/log" && break
    sleep 0.1
done
grep "HTTPS encryption is enabled" "$folder/log"
curl -s --cacert "$folder/certificate.pem" -o /dev/null -w 'answer: %{http_code}\n' "https://127.0.0.1:$port/system" || true
sleep 1
if kill "$server" 2>/dev/null; then
    echo "the server lives"
    wait "$server" || true
    exit 1
fi
wait "$server" && status=0 || status=$?
echo "exit status of the server: $status (139 is a segmentation fault)"
[ "$status" = 139 ]
