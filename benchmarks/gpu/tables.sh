#!/usr/bin/env bash
# Runs of the paper's tables on one GPU, several at once, until LIMIT seconds have passed: see README.md.
set -u
T0=$(date +%s); say() { echo "[$(( $(date +%s) - T0 )) s] $*"; }
OUT=$(realpath -m "${OUT:-outputs/gpu}"); LIMIT=${LIMIT:-420}; AT_ONCE=${AT_ONCE:-4}
HERE=${HERE:-$(mktemp -d)}; mkdir -p "$OUT" "$HERE/runs"  # named, a later call goes on with its packages, data and runs
TABLE=${TABLE:-../shared/data/mp-ternary-2025.02.12.parquet}
[ -d .whl ] && [ ! -d "$HERE/site" ] && python3 -m pip install -q --no-index --no-deps --no-compile --target "$HERE/site" .whl/*.whl
export HERE PYTHONPATH=$HERE/site:$PWD/src PYTHONUNBUFFERED=1 OMP_NUM_THREADS=1
export SOURCE="source=files source.path=$TABLE paths.data_dir=$HERE/data build.n_jobs=-1 threads=1 callbacks=cuda_graphs"
nvidia-smi --query-gpu=utilization.gpu,memory.used,power.draw --format=csv,noheader -l 5 > "$OUT/gpu.csv" & watch=$!
# Kernels of several processes at the same time, by NVIDIA's multi-process service; without it they take turns.
export CUDA_MPS_PIPE_DIRECTORY=$HERE/mps CUDA_MPS_LOG_DIRECTORY=$HERE/mps-log; mkdir -p "$HERE/mps" "$HERE/mps-log"
nvidia-cuda-mps-control -d
if timeout 45 python3 -c "import torch; print(torch.ones(9, device='cuda').sum().item())"; then mps=1; say "with MPS"
else mps=0; echo quit | timeout 5 nvidia-cuda-mps-control; unset CUDA_MPS_PIPE_DIRECTORY CUDA_MPS_LOG_DIRECTORY; say "without MPS"; fi
one() {
  folder=$HERE/runs/$(echo "$*" | tr -c 'a-zA-Z0-9.\n' '_'); began=$(date +%s)
  python3 -m deepxrd.train $* $SOURCE paths.output_dir="$folder" > "$folder.log" 2>&1
  rc=$?; echo "$rc after $(( $(date +%s) - began )) s: $*" >> "$HERE/runs/done.txt"
  [ $rc = 0 ] && rm -rf "$folder"/sweeps/*/*/checkpoints
}
export -f one
grep . > "$HERE/runs/asked.txt"
setsid xargs -P "$AT_ONCE" -d '\n' -I{} bash -c 'one {}' < "$HERE/runs/asked.txt" & runs=$!
while kill -0 $runs 2>/dev/null && [ $(( $(date +%s) - T0 )) -lt "$LIMIT" ]; do sleep 1; done
kill -TERM -- -$runs 2>/dev/null; sleep 1; pkill -KILL -f "paths.output_dir=$HERE/runs"; kill $watch
[ $mps = 1 ] && echo quit | timeout 10 nvidia-cuda-mps-control
say stopped; cat "$HERE/runs/done.txt"
tar cz -C "$HERE" --exclude=checkpoints --exclude=figures runs | split -b 15M - "$OUT/runs.tgz."
say "results: $OUT; to go on: HERE=$HERE"
