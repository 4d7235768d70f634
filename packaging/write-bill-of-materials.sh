#!/bin/sh
# Writes CycloneDX bills of materials of everything that the packages contain: the crates of both programs, for every
# system that is supported, and the npm packages of the UI.
#
#   packaging/write-bill-of-materials.sh FOLDER
#
# Needs cargo-cyclonedx and npm.
set -eu
folder=${1:?name the folder for the files}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
cd "$(dirname "$0")/.."

# cargo-cyclonedx writes one file beside the manifest of each package of the workspace.
trap 'find crates src-tauri tests xtask -name bill-of-materials.json -not -path "*/node_modules/*" -delete' EXIT
cargo cyclonedx --format json --spec-version 1.5 --target all --override-filename bill-of-materials
mv src-tauri/bill-of-materials.json "$folder/copresence-kiosk.crates.cdx.json"
mv crates/copresence-cli/bill-of-materials.json "$folder/copresence.crates.cdx.json"

# Not `npm sbom`: it leaves out packages that development tools depend on too.
(cd ui && npx --yes @cyclonedx/cyclonedx-npm@6.0.1 --package-lock-only --omit dev --spec-version 1.5 \
    --output-file "$folder/copresence-kiosk.npm.cdx.json")
