#!/usr/bin/env bash
# Does it work on a GPU, and how fast: see README.md. The steps are named on the command line.
set -u
T0=$(date +%s); say() { echo "[$(( $(date +%s) - T0 )) s] $*"; }
OUT=${OUT:-outputs/gpu}; DATA=${DATA:?a Parquet table of ABC3 structures}; WORK=$(mktemp -d); mkdir -p "$OUT"
[ -d .whl ] && python3 -m pip install -q --no-index --no-deps --no-compile --target "$WORK/site" .whl/*.whl
export PYTHONPATH=$WORK/site:$PWD/src PYTHONUNBUFFERED=1 OMP_NUM_THREADS=1 COLUMNS=160
nvidia-smi -L; python3 -c "import torch, deepxrd.training.run; print(torch.__version__, torch.cuda.get_device_name())" || exit 1
say imported
BENCH=(--parquet "$DATA" --data-dir "$WORK/data" --out "$OUT")
for step in "$@"; do
  case $step in
    compiled) timeout 150 python3 benchmarks/bench_train.py "${BENCH[@]}" --epochs 8 --ways ours ours-compiled --name train-gpu-compiled ;;
    graphs) timeout 150 python3 benchmarks/bench_train.py "${BENCH[@]}" --epochs 6 --ways ours ours-graphs --name train-gpu-graphs ;;
    train) timeout 150 python3 benchmarks/bench_train.py "${BENCH[@]}" --epochs 6 --ways plain ours ours-32 --name train-gpu ;;
    packing) timeout 180 python3 benchmarks/bench_packing.py "${BENCH[@]}" --epochs 15 --at-once 1 4 8 16 --name packing-gpu ;;
    screening)
      for how in "cpu 6" "cuda 1" "cuda 6"; do set -- $how; began=$(date +%s)
        timeout 90 python3 -m deepxrd.cli predict --file "${FORMULAS:?a table of formulas}" --out "$WORK/$1-$2" --device "$1" --jobs "$2" > "$OUT/screen-$1-$2.log" 2>&1
        echo "screening, $how: $? after $(( $(date +%s) - began )) s"
      done ;;
    data)
      for device in cuda cpu; do
        python3 -m deepxrd.prepare data=abc3 xrd=paper source=files source.path="$DATA" paths.data_dir="$WORK/$device" \
          build.device=$device build.n_jobs=1 > "$OUT/prepare-$device.log" 2>&1
      done
      python3 -c "
import glob, numpy as np
a, b = (np.load(glob.glob(f'$WORK/{d}/stores/*/patterns.npy')[0]) for d in ('cuda', 'cpu'))
print('patterns by cuda and cpu:', a.shape, 'max difference', np.abs(a - b).max())" ;;
    tests) timeout 200 python3 -m pytest -p no:cacheprovider -n 12 -m "not snapshot and not slow" tests/unit/xrd tests/unit/training \
        tests/unit/models tests/unit/sweeps > "$OUT/tests.log" 2>&1; tail -5 "$OUT/tests.log" ;;
    *) echo "no step $step"; exit 2 ;;
  esac
  say "$step"
done
rm -rf "$WORK"
