"""Checks a Kubernetes manifest against a JSON schema. Usage: check_manifest.py SCHEMA.json MANIFEST.yaml"""

import json
import sys

import jsonschema
import yaml

with open(sys.argv[1], encoding="utf-8") as schema_file, open(sys.argv[2], encoding="utf-8") as manifest_file:
    validator = jsonschema.Draft202012Validator(json.load(schema_file))
    errors = [f"{list(error.path)}: {error.message}" for error in validator.iter_errors(yaml.safe_load(manifest_file))]
print("\n".join(errors))
sys.exit(1 if errors else 0)
