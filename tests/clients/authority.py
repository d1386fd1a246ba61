"""An authority of the tests' own, made with the openssl command."""

import subprocess

NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


class Authority:
    """Issues certificates into `directory`; `path` is what clients are to trust."""

    def __init__(self, directory):
        self.directory = directory
        self.path, self.key = directory / "authority.pem", directory / "authority.key"
        self._openssl(
            "req", "-x509", *NEW_KEY, "-keyout", self.key, "-out", self.path, "-days", "2", "-subj", "/CN=Authority of a test",
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign",
        )

    def issue(self, name, *alternatives):
        """Writes NAME.pem and NAME.key for subject alternative names such as `DNS:localhost`; gives both paths."""
        chain, key = self.directory / f"{name}.pem", self.directory / f"{name}.key"
        self._openssl(
            "req", "-x509", *NEW_KEY, "-keyout", key, "-out", chain, "-days", "2", "-subj", f"/CN={name}",
            "-CA", self.path, "-CAkey", self.key, "-addext", "basicConstraints=critical,CA:FALSE",
            "-addext", f"subjectAltName={','.join(alternatives)}",
        )
        key.chmod(0o600)
        return chain, key

    @staticmethod
    def _openssl(*words):
        done = subprocess.run(["openssl", *map(str, words)], capture_output=True, timeout=30)
        assert done.returncode == 0, done.stderr.decode()
