"""Shows `alnm fetch` and `alnm store` with a real Orthanc on this machine.

    cargo build -p alnm-cli --features pacs
    python3 crates/alnm-pacs/scripts/check_orthanc.py target/debug/alnm

Needs Debian's `orthanc` and `orthanc-dicomweb` (`--install` gets them by apt-get), openssl, and for the full disks the
right to mount a small tmpfs; nothing else but Python's own library. All servers listen on 127.0.0.1, each with a folder of
its own that is removed in the end. `--studies N` takes fewer than 100, `--only NAME` a part. The exit code is the number of
checks that failed.
"""

import argparse
import base64
import contextlib
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

USER, PASSWORD = "anna", "geheim"
SLICES, SIDE = 8, 96
FAILURES = []


def say(words):
    print(words, flush=True)


def check(condition, what):
    say(f"  {'ok    ' if condition else 'FAILED'} {what}")
    if not condition:
        FAILURES.append(what)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Orthanc:
    """An Orthanc of its own, that can be killed and started again."""

    def __init__(self, folder, **options):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.http, self.dicom = free_port(), free_port()
        plugin = next(
            path
            for pattern in ("usr/lib/orthanc/**/libOrthancDicomWeb.so*", "usr/share/orthanc/**/libOrthancDicomWeb.so*")
            for path in pathlib.Path("/").glob(pattern)
        )
        config = {
            "Name": "check",
            "StorageDirectory": str(self.folder / "storage"),
            "IndexDirectory": str(self.folder / "index"),
            "HttpPort": self.http,
            "DicomPort": self.dicom,
            "DicomAet": "ARCHIVE",
            "DicomCheckCalledAet": True,
            "RemoteAccessAllowed": True,
            "AuthenticationEnabled": True,
            "RegisteredUsers": {USER: PASSWORD},
            "Plugins": [str(plugin)],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
            **options,
        }
        self.config = self.folder / "orthanc.json"
        self.config.write_text(json.dumps(config))
        self.process = None
        self.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.http}/dicom-web"

    @property
    def node(self):
        return f"dicom://ARCHIVE@127.0.0.1:{self.dicom}"

    def start(self):
        log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen(["Orthanc", str(self.config)], stdout=log, stderr=log)
        for _ in range(300):
            with contextlib.suppress(OSError):
                for port in (self.http, self.dicom):
                    socket.create_connection(("127.0.0.1", port), 1).close()
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        sys.exit(f"Orthanc did not start: {(self.folder / 'log').read_text(errors='replace')[-2000:]}")

    def kill(self):
        """As a power cut of the program: no chance to tidy."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def ask(self, path):
        token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}{path}", headers={"Authorization": f"Basic {token}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()

    def objects(self):
        """The data sets that Orthanc has, by their identifiers, as SHA-256."""
        found = {}
        for instance in json.loads(self.ask("/instances?expand")):
            content = self.ask(f"/instances/{instance['ID']}/file")
            found[instance["MainDicomTags"]["SOPInstanceUID"]] = data_set(content)
        return found


def data_set(content):
    """SHA-256 of what lies behind the meta group: C-STORE gives a file another one."""
    (length,) = struct.unpack_from("<I", content, 140)
    return hashlib.sha256(content[144 + length :]).hexdigest()


def local_objects(folder):
    """The data sets of the files below a folder, by the identifier in their meta group."""
    found = {}
    for path in sorted(pathlib.Path(folder).rglob("*.dcm")):
        content = path.read_bytes()
        at = content.index(b"\x02\x00\x03\x00UI") + 8
        (length,) = struct.unpack_from("<H", content, at - 2)
        found[content[at : at + length].rstrip(b"\0").decode()] = data_set(content)
    return found


class Proxy:
    """A proxy that cuts each connection after some bytes; what it lets through grows each time. With a context of `ssl` it
    is spoken to encrypted."""

    def __init__(self, port, first=1 << 62, growth=0, encryption=None):
        self.target, self.left, self.growth, self.cuts, self.encryption = port, first, growth, 0, encryption
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen()
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                if self.encryption:
                    client = self.encryption.wrap_socket(client, server_side=True)
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                # The client does not trust the certificate, or the server is down.
                client.close()
                continue
            budget = [self.left]
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self.copy, args=(source, sink, budget), daemon=True).start()

    def copy(self, source, sink, budget):
        try:
            while True:
                some = source.recv(1 << 14)
                if not some:
                    break
                budget[0] -= len(some)
                if budget[0] < 0:
                    self.cuts += 1
                    self.left += self.growth
                    break
                sink.sendall(some)
        except OSError:
            pass
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class Check:
    def __init__(self, alnm, folder, studies):
        self.alnm, self.folder, self.studies = alnm, pathlib.Path(folder), studies
        self.password = self.folder / "password"
        self.password.write_text(PASSWORD + "\n")

    def run(self, *arguments, **options):
        command = [self.alnm, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=600, **options)

    def works(self, *arguments):
        done = self.run(*arguments)
        if done.returncode != 0:
            sys.exit(f"{' '.join(map(str, arguments))}: {done.stderr}")
        return done

    def login(self, password=None):
        return "--user", USER, "--password-file", password or self.password

    def fails(self, words, *arguments):
        """A command that ends with 1 and a message that holds some words."""
        done = self.run(*arguments)
        message = done.stderr.strip().splitlines()
        check(done.returncode == 1 and any(words in line for line in message), f"{words!r}: {message[-1] if message else ''}")

    # The work

    def make_studies(self):
        """Series of MR images, each of another patient, and a mask of a ball for all of them."""
        source = self.folder / "source"
        header = (
            "NRRD0004\ntype: {kind}\ndimension: 3\nspace: left-posterior-superior\n"
            f"sizes: {SIDE} {SIDE} {SLICES}\nspace directions: (1,0,0) (0,1,0) (0,0,2)\nspace origin: (0,0,0)\n"
            "encoding: raw\nendian: little\n\n"
        )
        count = SIDE * SIDE * SLICES
        inside = bytes(
            (x - SIDE // 2) ** 2 + (y - SIDE // 2) ** 2 + (5 * (z - SLICES // 2)) ** 2 < (SIDE // 5) ** 2
            for z in range(SLICES)
            for y in range(SIDE)
            for x in range(SIDE)
        )
        self.mask = self.folder / "mask.nrrd"
        self.mask.write_bytes(header.format(kind="uint8").encode() + inside)
        for number in range(self.studies):
            noise = random.Random(number).randbytes(count)
            voxels = struct.pack(f"<{count}H", *(100 + value for value in noise))
            image = self.folder / "image.nrrd"
            image.write_bytes(header.format(kind="uint16").encode() + voxels)
            self.works("convert", image, source / f"P{number:03}", "--patient-id", f"P{number:03}")
        return source

    def make_results(self, images):
        """A segmentation and a report for each series that was fetched."""
        results = self.folder / "results"
        results.mkdir()
        for series in sorted(path for path in images.glob("*/*") if path.is_dir()):
            name = series.parent.name
            segmentation = results / f"{name}.seg.dcm"
            self.works("convert", self.mask, segmentation, "--like", series)
            self.works("extract", series, segmentation, "--sr", results / f"{name}.report.dcm", "-f", "csv")
        return results

    def until_done(self, server, *arguments, client_kills=12, server_kills=3):
        """Runs a command that is killed again and again, like its server, until it ends by itself."""
        dice = random.Random(1)
        killed_clients = killed_servers = 0
        while True:
            process = subprocess.Popen(
                [self.alnm, *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
            )
            if killed_clients < client_kills:
                time.sleep(dice.uniform(0.02, 0.4))
                if process.poll() is None:
                    process.kill()
                    killed_clients += 1
                    process.communicate()
                    continue
            while killed_servers < server_kills and process.poll() is None:
                time.sleep(dice.uniform(0.1, 0.5))
                server.kill()
                killed_servers += 1
                time.sleep(0.3)
                server.start()
            _, message = process.communicate(timeout=600)
            if process.returncode == 0:
                say(f"  killed: {killed_clients} times the command, {killed_servers} times Orthanc")
                return
            if killed_clients >= client_kills and killed_servers >= server_kills:
                check(False, f"{arguments[0]} ends: {message.strip()[-300:]}")
                return

    # The parts

    def roundtrip(self):
        say(f"{self.studies} studies in, {self.studies} results out, by DICOMweb and C-STORE, with kill -9 of both sides")
        source = self.make_studies()
        folders = sorted(source.iterdir())
        half = len(folders) // 2
        server = Orthanc(self.folder / "orthanc")
        wanted = local_objects(source)
        self.until_done(server, "store", server.url, *folders[:half], *self.login())
        self.until_done(server, "store", server.node, *folders[half:], "--journal", self.folder / "stored.csv")
        check(server.objects() == wanted, f"all {len(wanted)} images of {self.studies} studies are in Orthanc, byte for byte")
        images = self.folder / "images"
        self.until_done(server, "fetch", server.url, images, "--all", *self.login())
        check(local_objects(images) == wanted, f"all {len(wanted)} images are fetched, byte for byte")
        left = [path for path in images.rglob("*") if path.is_file() and path.suffix != ".dcm"]
        check([path.name for path in left] == ["fetched.csv"], "nothing unfinished is left")
        results = self.make_results(images)
        self.until_done(server, "store", server.url, results, *self.login())
        wanted.update(local_objects(results))
        check(server.objects() == wanted, f"all {2 * self.studies} results (SEG and SR) are in Orthanc, byte for byte")
        segmentations = self.folder / "segmentations"
        self.works("fetch", server.url, segmentations, "--all", "--modality", "SEG", *self.login())
        check(len(local_objects(segmentations)) == self.studies, f"{self.studies} segmentations are fetched by modality")
        listed = self.works("fetch", server.url, "--list", "--all", *self.login()).stdout.splitlines()
        check(len(listed) == self.studies + 1, f"{self.studies} studies are listed")
        before = time.time()
        again = self.works("fetch", server.url, images, "--all", "--modality", "MR", *self.login()).stderr.splitlines()[-1]
        check("0 objects fetched" in again, f"again: {again} ({time.time() - before:.1f} s)")
        again = self.works("store", server.url, source, *self.login()).stderr.splitlines()[-1]
        check("0 objects stored" in again, f"again: {again}")
        again = self.works("store", server.node, *folders[half:], "--journal", self.folder / "stored.csv").stderr
        check("0 objects stored" in again, f"again, by the journal: {again.splitlines()[-1]}")
        server.kill()

    def speed(self):
        say("time without interruptions")
        source = self.folder / "source"
        size = sum(path.stat().st_size for path in source.rglob("*.dcm")) / 1e6
        count = len(local_objects(source))
        server = Orthanc(self.folder / "orthanc-speed")
        for what, arguments in (
            ("STOW", ("store", server.url, source, *self.login())),
            ("WADO", ("fetch", server.url, self.folder / "images-speed", "--all", *self.login())),
            ("C-STORE", ("store", server.node, source)),
        ):
            start = time.time()
            self.works(*arguments)
            seconds = time.time() - start
            say(f"  {what}: {count} objects, {size:.0f} MB in {seconds:.1f} s, {size / seconds:.0f} MB/s")
        server.kill()

    def errors(self):
        say("errors")
        source = self.folder / "source"
        server = Orthanc(self.folder / "orthanc-errors")
        wrong = self.folder / "wrong"
        wrong.write_text("geraten\n")
        self.fails("401", "fetch", server.url, self.folder / "x", "--all", *self.login(wrong))
        self.fails("401", "store", server.url, source, *self.login(wrong))
        self.fails("401", "fetch", server.url, "--list", "--all")
        self.fails("404", "fetch", server.url.replace("dicom-web", "nothing"), "--list", "--all", *self.login())
        self.fails("rejects the association", "store", server.node.replace("ARCHIVE", "OTHER"), source)
        self.works("store", server.node, "--check")
        self.works("store", server.url, "--check", *self.login())
        server.kill()
        self.fails("cannot be reached (attempt 2)", "fetch", server.url, "--list", "--all", "--attempts", "2", *self.login())
        self.fails("cannot be reached (attempt 2)", "store", server.node, source, "--attempts", "2")

    def cuts(self):
        say("connections that are cut")
        source = self.folder / "source"
        wanted = local_objects(source)
        server = Orthanc(self.folder / "orthanc-cuts")
        proxy = Proxy(server.http, 200_000, 400_000)
        url = f"http://127.0.0.1:{proxy.port}/dicom-web"
        self.fails("cannot be reached", "store", url, source, "--attempts", "1", *self.login())
        done = self.run("store", url, source, "--attempts", "100", *self.login())
        check(done.returncode == 0 and server.objects() == wanted, f"STOW through {proxy.cuts} cuts")
        proxy = Proxy(server.http, 100_000, 20_000)
        url = f"http://127.0.0.1:{proxy.port}/dicom-web"
        images = self.folder / "images-cut"
        done = self.run("fetch", url, images, "--all", *self.login())
        check(done.returncode == 0 and local_objects(images) == wanted, f"WADO through {proxy.cuts} cuts")
        server.kill()
        server = Orthanc(self.folder / "orthanc-cuts-node")
        proxy = Proxy(server.dicom, 100_000, 100_000)
        done = self.run("store", f"dicom://ARCHIVE@127.0.0.1:{proxy.port}", source)
        check(done.returncode == 0 and server.objects() == wanted, f"C-STORE through {proxy.cuts} cuts")
        server.kill()

    def full_disks(self):
        say("full disks")
        source = self.folder / "source"
        with small_disk(self.folder / "small", "6m") as disk:
            if disk is None:
                say("  skipped: a tmpfs cannot be mounted here")
                return
            server = Orthanc(disk / "orthanc")
            for address, login in ((server.url, self.login()), (server.node, ())):
                done = self.run("store", address, source, *login)
                lines = done.stderr.strip().splitlines()
                refused = [line for line in lines if "is not stored" in line]
                check(done.returncode == 1 and refused, f"server, {address.split(':')[0]}: {len(refused)} objects: {refused[-1:]}")
                say(f"         {lines[-1]}")
            server.kill()
        server = Orthanc(self.folder / "orthanc-full")
        self.works("store", server.url, source, *self.login())
        with small_disk(self.folder / "small", "3m") as disk:
            self.fails("the disk is full", "fetch", server.url, disk / "images", "--all", *self.login())
            there = local_objects(disk / "images")
            check(there.items() <= local_objects(source).items(), f"the {len(there)} objects that found room are whole")
        server.kill()

    def encryption(self):
        say("encryption")
        certificates = self.folder / "certificates"
        certificates.mkdir()

        def openssl(*arguments):
            subprocess.run(["openssl", *arguments], cwd=certificates, check=True, capture_output=True)

        for name in ("authority", "other"):
            openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                    "-keyout", f"{name}.key", "-out", f"{name}.pem")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-keyout", "server.key", "-out", "server.csr")
        (certificates / "extensions").write_text("subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
        openssl("x509", "-req", "-in", "server.csr", "-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial",
                "-days", "2", "-extfile", "extensions", "-out", "server.pem")
        # Debian's Orthanc 1.10.1 with SslEnabled crashes at the first encrypted connection, so that a proxy encrypts.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
        server = Orthanc(self.folder / "orthanc-tls")
        url = f"https://127.0.0.1:{Proxy(server.http, encryption=context).port}/dicom-web"
        one = next((self.folder / "source").iterdir())
        done = self.run("store", url, one, "--ca", certificates / "authority.pem", *self.login())
        check(done.returncode == 0, f"own authority: {done.stderr.strip()}")
        images = self.folder / "images-tls"
        self.works("fetch", url, images, "--all", "--ca", certificates / "authority.pem", *self.login())
        check(local_objects(images) == local_objects(one), "fetched by https, byte for byte")
        self.fails("is not trusted", "store", url, one, "--ca", certificates / "other.pem", *self.login())
        self.fails("is not trusted", "store", url, one, *self.login())
        server.kill()


@contextlib.contextmanager
def small_disk(folder, size):
    folder.mkdir(exist_ok=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True)
    try:
        yield folder if mounted.returncode == 0 else None
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", "-l", str(folder)], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("alnm", help="the command, built with the feature pacs")
    parser.add_argument("--studies", type=int, default=100)
    parser.add_argument("--install", action="store_true", help="install Orthanc by apt-get where it is missing")
    parser.add_argument("--only", nargs="*", default=["roundtrip", "speed", "errors", "cuts", "full_disks", "encryption"])
    arguments = parser.parse_args()
    if shutil.which("Orthanc") is None and arguments.install:
        # The package starts no server of its own where this is forbidden.
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", "orthanc", "orthanc-dicomweb"], check=True, env=environment)
    if shutil.which("Orthanc") is None:
        sys.exit("Orthanc is missing: apt-get install orthanc orthanc-dicomweb, or --install")
    say(subprocess.run(["Orthanc", "--version"], capture_output=True, text=True).stdout.splitlines()[0])
    with tempfile.TemporaryDirectory() as folder:
        checks = Check(str(pathlib.Path(arguments.alnm).resolve()), folder, arguments.studies)
        if "roundtrip" not in arguments.only:
            checks.make_studies()
        for part in arguments.only:
            getattr(checks, part)()
    say(f"{len(FAILURES)} checks failed")
    sys.exit(min(len(FAILURES), 255))


if __name__ == "__main__":
    main()
