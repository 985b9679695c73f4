#!/usr/bin/env bash
# Train one recipe after the other, each within its time, and log how busy an NVIDIA GPU was meanwhile.
#
#   tools/train_all.sh DATA OUT NAME:BUDGET [NAME:BUDGET]... [-- OPTIONS of enhance train]
#
# DATA holds the packs. OUT gets NAME.safetensors and NAME.log, and gpu.csv (percent busy, memory, every 5 seconds)
# where there is nvidia-smi. A recipe that fails does not keep the others from their time; the exit code tells of it.
# The same command again goes on where it was cut off: what is finished in OUT is left alone, what was begun resumed.
set -uo pipefail
recipes=$(dirname "$0")/../recipes
data=${1-} out=${2-}
shift $(($# < 2 ? $# : 2))
runs=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do runs+=("$1"); shift; done
[ $# -eq 0 ] || shift
[ ${#runs[@]} -gt 0 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
mkdir -p "$out"
# Ctrl-C ends the training that runs, and the rest with it.
trap 'exit 130' INT TERM
if command -v nvidia-smi >/dev/null; then
  nvidia-smi --query-gpu=timestamp,utilization.gpu,memory.used --format=csv,noheader -l 5 >>"$out/gpu.csv" &
  trap 'kill $!' EXIT
fi
code=0
for run in "${runs[@]}"; do
  name=${run%%:*} weights=$out/${run%%:*}.safetensors
  resume=()
  if [ -e "$weights.resume" ]; then
    resume=(--resume)
  elif [ -e "$weights" ]; then
    echo "$weights is finished: left alone" >&2
    continue
  fi
  "${PYTHON:-python}" -m enhance_cli train "$recipes/$name.toml" --data "$data" --budget "${run#*:}" \
    --out "$weights" ${resume[@]+"${resume[@]}"} "$@" 2>&1 | tee -ia "$out/$name.log" || code=1
done
exit $code
