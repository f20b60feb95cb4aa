"""Checks a Kubernetes manifest or a Compose file against a table of the fields of its API, offline.

    manifests.py kubernetes|compose TABLE FILE

Prints each mistake, then what containers of the image chouette-iot are given: variables, as lines `variable NAME`, and
the commands that look whether they are well, as lines `check NAME WORDS`.
Ends with 1 where there is a mistake.
"""

import json
import re
import sys

import yaml

QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi)?$")
IMAGE = re.compile(r"(.*/)?chouette-iot(:.*)?$")


class NoRepeatedKeys(yaml.SafeLoader):
    """YAML would let the last of two equal keys win in silence."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        repeated = {key for key in keys if keys.count(key) > 1}
        if repeated:
            raise yaml.YAMLError(f"{node.start_mark}: repeated: {', '.join(sorted(repeated))}")
        return super().construct_mapping(node, deep)


class Checker:
    def __init__(self, types):
        self.types = types
        self.mistakes = []

    def plain(self, kind, value):
        """Whether a value is of a type without parts; None where the type has parts."""
        if kind.startswith("'"):
            return isinstance(value, str) and value in kind.strip("'").split("|")
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        tests = {
            "string": isinstance(value, str),
            "boolean": isinstance(value, bool),
            "integer": number and isinstance(value, int),
            "number": number,
            "scalar": isinstance(value, (str, bool)) or number or value is None,
            "quantity": isinstance(value, str) and QUANTITY.match(value) is not None,
        }
        return tests.get(kind)

    def check(self, kind, value, path):
        kinds = [kind] if kind.startswith(("[", "{")) else kind.split(" or ")
        attempts = [Checker(self.types).attempt(one, value, path) for one in kinds]
        if not any(found == [] for found in attempts):
            # The longest attempt got furthest.
            self.mistakes += max(attempts, key=lambda found: len(found[0]))

    def attempt(self, kind, value, path):
        if kind.startswith("["):
            if isinstance(value, list):
                for index, item in enumerate(value):
                    self.check(kind[1:-1], item, f"{path}[{index}]")
                return self.mistakes
        elif kind.startswith("{"):
            if isinstance(value, dict):
                for key, item in value.items():
                    self.check(kind[1:-1], item, f"{path}.{key}")
                return self.mistakes
        elif kind in self.types:
            # A volume may have nothing to say.
            if isinstance(value, dict) or value is None:
                self.check_fields(self.types[kind], value or {}, path)
                return self.mistakes
        elif self.plain(kind, value):
            return []
        return [f"{path}: {value!r} is no {kind}"]

    def check_fields(self, fields, value, path):
        for name, item in value.items():
            if name not in fields:
                self.mistakes.append(f"{path}.{name}: the API has no such field")
            else:
                self.check(fields[name].rstrip("!"), item, f"{path}.{name}")
        for name, kind in fields.items():
            if kind.endswith("!") and name not in value:
                self.mistakes.append(f"{path}.{name}: missing")


def kubernetes(table, documents, checker):
    variables, checks = [], []
    for document in documents:
        kind = f"{document.get('apiVersion')} {document.get('kind')}"
        path = f"{document.get('kind')} {document.get('metadata', {}).get('name')}"
        if kind not in table["kinds"]:
            checker.mistakes.append(f"{path}: {kind} is not known")
            continue
        checker.check(table["kinds"][kind], document, path)
        pod = document.get("spec", {}).get("template", {}).get("spec", {})
        volumes = {volume["name"] for volume in pod.get("volumes", [])}
        for container in pod.get("containers", []):
            for mount in container.get("volumeMounts", []):
                if mount.get("name") not in volumes:
                    checker.mistakes.append(f"{path}: volume {mount.get('name')} is mounted and not there")
            if IMAGE.match(container.get("image", "")):
                variables += [variable["name"] for variable in container.get("env", [])]
                for probe in ("readinessProbe", "livenessProbe"):
                    checks.append([probe, *container.get(probe, {}).get("exec", {}).get("command", [])])
    return variables, checks


def compose(table, documents, checker):
    [document] = documents
    checker.check("File", document, "compose")
    variables, checks = [], []
    services = document.get("services", {})
    for name, service in services.items():
        for other in service.get("depends_on", []):
            if other not in services:
                checker.mistakes.append(f"compose.services.{name}: depends on {other}, which is not there")
        if IMAGE.match(service.get("image", "")):
            variables += service.get("environment", {})
            checks.append(["healthcheck", *service.get("healthcheck", {}).get("test", [])])
    return variables, checks


def main():
    [form, table, path] = sys.argv[1:]
    with open(table) as file:
        table = json.load(file)
    checker = Checker(table["types"])
    try:
        with open(path) as file:
            documents = list(yaml.load_all(file, NoRepeatedKeys))
    except yaml.YAMLError as error:
        print(error)
        return 1
    variables, checks = {"kubernetes": kubernetes, "compose": compose}[form](table, documents, checker)
    for mistake in checker.mistakes:
        print(mistake)
    for variable in variables:
        print("variable", variable)
    for check in checks:
        print("check", *check)
    return 1 if checker.mistakes else 0


sys.exit(main())
