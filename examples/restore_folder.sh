#!/usr/bin/env bash
# restore_folder.sh IN OUT: cleans a folder of JPEGs and doubles its size. Run it again after an interruption, or when
# pictures were added: what is done is not done again.
set -euo pipefail
in=${1:?usage: restore_folder.sh IN OUT}
out=${2:?usage: restore_folder.sh IN OUT}

status=0
enhance dejpeg "$in" "$out/clean" || status=$?
# 3: some pictures failed, each with its reason above. The others are worth going on with.
if [ "$status" -ne 0 ] && [ "$status" -ne 3 ]; then
    exit "$status"
fi
enhance sr --scale 2 "$out/clean" "$out/large"
exit "$status"
