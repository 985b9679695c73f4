#!/usr/bin/env bash
# Restores the example pictures and compares the results with the clean originals: "untreated" is the picture as it
# was given (enlarged by bicubic for sr). The results stay in .demo/.
set -euo pipefail
cd "$(dirname "$0")/.."

show() {
    echo
    echo "\$ enhance $*"
    enhance "$@" --overwrite
}

show sr --scale 4 examples/sr .demo/sr --reference examples/reference
show dejpeg examples/dejpeg .demo/dejpeg --reference examples/reference
show denoise examples/denoise .demo/denoise --reference examples/reference
show deblur examples/deblur .demo/deblur --reference examples/reference
