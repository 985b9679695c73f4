#!/usr/bin/env bash
# ci_gate.sh MIN_PSNR [REPORT]: a step of CI that fails with exit code 4 when the pictures restored here score less, in
# the mean, than MIN_PSNR dB on luma. REPORT keeps every event as JSON; its last line, the summary, is shown.
set -euo pipefail
min_psnr=${1:?usage: ci_gate.sh MIN_PSNR [REPORT]}
report=${2:-gate.jsonl}
examples=$(cd "$(dirname "$0")" && pwd)
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

status=0
enhance dejpeg "$examples/dejpeg" "$results" --reference "$examples/reference" \
    --min-psnr "$min_psnr" --json --quiet > "$report" || status=$?
tail -n 1 "$report"
exit "$status"
